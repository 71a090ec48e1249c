"""What rounds of two callables say, from readings that are written down."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_concurrency.core.model import Interference, Reading
from pytest_concurrency.engine import callable_intervals, intervals, readings
from pytest_concurrency.engine.claims import Knowledge
from pytest_concurrency.engine.interval_rules.base import Context
from pytest_concurrency.expectations.compare import ComparisonClaim

from ..make import reading, round_

times = st.floats(0.0001, 0.5)
delays = st.floats(0.0, 0.5)
KNOWN = Knowledge(2.0)
SAME = 1 + 1e-6
PARTIES = st.sampled_from(["one", "seen", "unseen"])


@pytest.mark.parametrize(("foreign", "counts"), [(0.0, True), (0.2, True), (0.6, False), (None, False)])
def test_without_run_delay_only_a_quiet_machine_counts(foreign: float | None, counts: bool) -> None:
    measured = round_(reading(0.01, 0.0, None), reading(0.01, 0.0, None), interference=Interference(foreign=foreign))
    assert readings.readable(measured) is counts
    assert (intervals.speedup(measured, Context()) is not None) is counts
    assert (callable_intervals.speedup(measured, 2) is not None) is counts


@given(first=times, second=times, delay_1=delays, delay_2=delays, parties=st.tuples(PARTIES, PARTIES))
def test_a_comparison_holds_the_quiet_ratio(
    first: float, second: float, delay_1: float, delay_2: float, parties: tuple[Any, Any]
) -> None:
    assume(delay_1 < 8 * first)
    assume(delay_2 < 8 * second)
    one = reading(first, 0.0, delay_1, accounting=parties[0])
    other = reading(second, 0.0, delay_2, accounting=parties[1])
    for foreign in (0.0, 1.0):
        interval = callable_intervals.speedup(round_(one, other, interference=Interference(foreign=foreign)), 2)
        assert interval is not None
        assert interval.low <= first / second * SAME
        assert interval.high * SAME >= first / second


@pytest.mark.parametrize(("foreign", "sure"), [(0.0, True), (1.0, False), (None, False)])
def test_comparison_with_unseen_workers_is_slow_only_on_an_idle_machine(foreign: float | None, sure: bool) -> None:
    slow = reading(0.01, 0.01, accounting="unseen")
    measured = round_(reading(0.01, accounting="one"), slow, interference=Interference(foreign=foreign))
    interval = callable_intervals.speedup(measured, 2)
    assert interval is not None
    assert interval.low == pytest.approx(0.5)
    assert (interval.high < 1) is sure
    # Nor are they known to be faster than the second: what they waited for a CPU may be most of their time.
    interval = callable_intervals.speedup(
        round_(slow, reading(0.01, accounting="one"), interference=Interference(foreign=foreign)), 2
    )
    assert interval is not None
    assert (interval.low > 1) is sure


def test_one_thread_is_compared_exactly_under_any_load() -> None:
    first, second = reading(0.02, 0.0, 0.05, accounting="one"), reading(0.01, 0.0, 0.07, accounting="one")
    interval = callable_intervals.speedup(round_(first, second, interference=Interference(foreign=2.0)), 2)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((2.0, 2.0))


@pytest.mark.parametrize(
    ("interference", "late"),
    [(Interference(2.0), 1.5), (Interference(0.0, steal=0.1), 1.5), (Interference(0.0, steal=0.0), 1.0)],
)
@pytest.mark.parametrize("accounting", ["one", "seen"])
def test_what_was_waited_for_may_have_been_late(interference: Interference, late: float, accounting: Any) -> None:
    """Beside other programs of this machine, or those of a hypervisor's other guests."""
    first, second = reading(0.0, 0.03, accounting="one"), reading(0.0, 0.03, accounting=accounting)
    interval = callable_intervals.speedup(round_(first, second, interference=interference), 2)
    assert interval is not None
    assert interval.low == pytest.approx(1 / late)
    assert interval.high == pytest.approx(late)


@pytest.mark.parametrize(
    ("switches", "low", "high"), [(1, 29.75 / 30, 30 / 29), (5, 28.75 / 30, 30 / 25), (100, 1 / 1.5, 1.5)]
)
def test_each_wait_of_one_thread_may_have_been_late_by_a_little(switches: int, low: float, high: float) -> None:
    waits = reading(0.0, 0.03, switches=switches, accounting="one")
    interval = callable_intervals.speedup(round_(waits, waits, interference=Interference(foreign=2.0)), 2)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((low, high))


def test_speedup_is_limited_by_the_computing_on_all_cpus() -> None:
    first, pool = reading(0.4, accounting="one"), Reading(0.0, 0.5, 0.4, 0.9)
    interval = callable_intervals.speedup(round_(first, pool, interference=Interference(foreign=2.0)), 2)
    assert interval is not None
    assert interval.high == pytest.approx(2.0)


def test_computing_of_threads_that_may_spin_is_no_evidence_on_a_busy_machine() -> None:
    first, spun = reading(0.4, accounting="one"), Reading(0.0, 0.5, 0.4, 0.9, accounting="native")
    beside = callable_intervals.speedup(round_(first, spun, interference=Interference(foreign=2.0)), 2)
    quiet = callable_intervals.speedup(round_(first, spun, interference=Interference(foreign=0.0)), 2)
    assert beside is not None
    assert quiet is not None
    assert math.isinf(beside.high)
    assert beside.low == quiet.low
    assert quiet.high == pytest.approx(2.0)
    vote = ComparisonClaim(1, 10.0, 0.25).vote(round_(first, spun, interference=Interference(foreign=2.0)), None, KNOWN)
    assert vote.direction == 0
    assert vote.interval is None
