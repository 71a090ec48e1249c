"""What each rule for intervals does to a round that made it necessary."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_concurrency.core.model import Interference, Interval, Round, Sample
from pytest_concurrency.engine import intervals
from pytest_concurrency.engine.interval_rules import (
    answered_waits,
    cpu_limit,
    gil_limit,
    gil_taken,
    gil_waits,
    hidden_computing,
    late_helpers,
    shared_cpus,
    slow_cpus,
    stolen_time,
)
from pytest_concurrency.engine.interval_rules.base import NONE_OVERLAPS, Context

from ...make import reading, round_

BUSY, QUIET = Interference(foreign=1.0), Interference(foreign=0.0)
NONE = Interval(0.0, 0.0)


def test_cpu_limit_is_two_on_two_cpus() -> None:
    four = round_(reading(0.01), *[reading(0.01)] * 4)
    assert cpu_limit.RULE.apply(Interval(3.0, 4.0), four, Context(4, 2)) == Interval(2.0, 2.0)
    assert cpu_limit.RULE.apply(Interval(1.0, 4.0), four, Context(4, 2)) == Interval(1.0, 2.0)


def test_gil_limit_lowers_the_lower_bound_by_what_may_hold_the_gil() -> None:
    four = round_(reading(0.01), *[reading(0.01)] * 4)
    found = gil_limit.RULE.apply(Interval(1.5, 4.0), four, Context(4, 4, Interval(0.0, 1.0)))
    assert found == Interval(1.0, 4.0)
    # They did all of it in the time of one, so it can be done.
    assert gil_limit.RULE.apply(Interval(1.5, 4.0), four, Context(4, 4, NONE_OVERLAPS)).high == pytest.approx(4.0)


def four_on_two_cpus(beside: Interference, exclusive: bool = False) -> Round:
    """Four workers that wait 10 ms and compute 10 ms on two CPUs: two of them have to wait for a CPU meanwhile."""
    first, second = reading(0.01, 0.01, switches=1), reading(0.01, 0.01, 0.01, switches=1)
    seen = round_(first, first, first, second, second, interference=beside)
    return replace(seen, concurrent=replace(seen.concurrent, exclusive=exclusive))


@pytest.mark.parametrize(("beside", "exclusive"), [(QUIET, False), (BUSY, True)])
def test_workers_that_wait_for_each_other_are_as_fast_as_they_were_seen_to_be(
    beside: Interference, exclusive: bool
) -> None:
    seen = four_on_two_cpus(beside, exclusive)
    assert intervals.speedup(seen, Context(4, 2)) == Interval(pytest.approx(80 / 30), pytest.approx(80 / 30))


def test_other_programs_may_have_delayed_workers_that_share_cpus() -> None:
    found = intervals.speedup(four_on_two_cpus(BUSY), Context(4, 2))
    assert found == Interval(pytest.approx(80 / 30), pytest.approx(4.0))


def test_shares_of_other_programs_allow_for_more_than_was_seen() -> None:
    seen = four_on_two_cpus(Interference(foreign=0.1))
    assert shared_cpus.RULE.apply(Interval(3.9, 4.0), seen, Context(4, 2)).high == pytest.approx(80 / 30 / 0.8)


def test_workers_with_a_cpu_each_wait_for_no_worker() -> None:
    found = intervals.speedup(four_on_two_cpus(QUIET), Context(4, 4))
    assert found == Interval(pytest.approx(4.0), pytest.approx(4.0))


def test_hardly_any_computing_explains_no_long_wait_for_a_cpu() -> None:
    waits = [reading(0.0001, 0.01, 0.005, switches=1)] * 4
    found = intervals.speedup(round_(reading(0.0001, 0.01, switches=1), *waits, interference=QUIET), Context(4, 2))
    assert found is not None
    assert found.low == pytest.approx(4.0, rel=0.02)


@pytest.mark.parametrize(("beside", "widened"), [(BUSY, True), (QUIET, False)])
def test_late_helpers_widen_only_while_other_programs_run(beside: Interference, widened: bool) -> None:
    helped = [reading(0.01, 0.005, accounting="unseen")] * 2
    seen = round_(reading(0.01, 0.01, accounting="unseen"), *helped, interference=beside)
    found = late_helpers.RULE.apply(Interval(1.5, 1.6), seen, Context(2, 2))
    assert (found != Interval(1.5, 1.6)) == widened
    if widened:
        assert found.high == 2.0
        assert found.low == pytest.approx(1.5 / 4)


def test_known_delay_of_helpers_comes_off_the_time_that_it_may_have_lengthened() -> None:
    helped = [reading(0.01, 0.01, accounting="helped", helpers_delay=0.001)] * 2
    seen = round_(reading(0.01, 0.002, accounting="helped", helpers_delay=0.003), *helped, interference=BUSY)
    found = late_helpers.RULE.apply(Interval(1.0, 1.1), seen, Context(2, 2))
    assert found.low == pytest.approx(1.0 * 9 / 12)
    assert found.high == pytest.approx(2 * 12 / (20 - 2))
    in_turn = late_helpers.RULE.apply(Interval(1.0, 1.1), seen, Context(2, 2, Interval(1.0, 1.0)))
    assert in_turn.high == pytest.approx(2 * 12 / (20 - 2))


def test_helpers_that_waited_for_no_cpu_widen_nothing() -> None:
    helped = [reading(0.01, 0.002, accounting="helped")] * 2
    seen = round_(reading(0.01, 0.002, accounting="helped"), *helped, interference=BUSY)
    limited = intervals.limited_speedup(seen, Context(2, 2))
    assert limited is not None
    assert intervals.widened_speedup(limited, seen, Context(2, 2)).steps == ()


def beside_a_thread(serial: float, together: float) -> Round:
    """Four workers compute under the GIL for 10 ms each, and wait for it while another thread has it."""
    return Round(
        1,
        Sample(1, (reading(0.01, serial),), gil_taken=serial),
        Sample(1, tuple(reading(0.01, 0.03 + together) for _ in range(4)), gil_taken=together),
    )


def test_a_thread_that_computes_all_the_time_makes_python_code_no_faster() -> None:
    """It has the GIL half of the time beside one worker, and a fifth of it beside four, which reads as 1.6x."""
    seen = beside_a_thread(0.01, 0.01)
    found = intervals.speedup(seen, Context(4, 4))
    assert found is not None
    assert found.low == pytest.approx(0.8)
    assert found.high == pytest.approx(2.0)


def test_a_thread_that_computes_now_and_then_leaves_a_verdict() -> None:
    seen = beside_a_thread(0.002, 0.004)
    assert gil_taken.RULE.apply(Interval(1.0, 1.0), seen, Context(4, 4)).low == pytest.approx(10 / 12)
    found = intervals.speedup(seen, Context(4, 4, NONE_OVERLAPS))
    assert found is not None
    assert (found.low, found.high) == (pytest.approx(40 / 44), pytest.approx(48 / 40))
    alone = round_(reading(0.01), *[reading(0.01, 0.03)] * 4)
    assert gil_taken.RULE.apply(Interval(1.0, 1.0), alone, Context(4, 4)) == Interval(1.0, 1.0)


def test_a_body_that_seems_to_compute_only_beside_others_may_have_waited_for_the_gil() -> None:
    """Twenty times some Python and a call that releases the GIL, beside a thread that always wants it."""
    serial = reading(0.008, 0.1)
    together = tuple(reading(0.008, 0.124) for _ in range(4))
    seen = Round(1, Sample(1, (serial,), gil_taken=0.1), Sample(1, together, gil_taken=0.1))
    found = intervals.speedup(seen, Context(4, 4, NONE_OVERLAPS))
    assert found is not None
    assert found.low < 1


def test_a_body_that_only_waits_needs_no_gil() -> None:
    seen = Round(1, Sample(1, (reading(0.0001, 0.01),), gil_taken=0.01), Sample(1, (reading(0.0001, 0.01),) * 4))
    assert gil_taken.RULE.apply(Interval(3.9, 4.0), seen, Context(4, 4)) == Interval(3.9, 4.0)


def test_a_wait_may_have_been_one_for_the_gil_for_as_long_as_others_may_have_had_it() -> None:
    def share(taken: float) -> Interval:
        seen = Round(1, Sample(1, (reading(0.01, 0.01),), gil_taken=taken), None)
        return gil_waits.RULE.apply(Interval(0.5, 0.5), seen, Context())

    assert share(0.0) == Interval(0.5, 0.5)
    assert share(0.005) == Interval(0.5, pytest.approx(10 / 15))
    assert share(0.05) == Interval(0.5, 1.0)


def test_slow_cpus_excuse_no_more_than_computing_grew() -> None:
    grown = round_(reading(0.01), reading(0.015), reading(0.015))
    assert slow_cpus.RULE.apply(Interval(1.0, 1.0), grown, Context(2, 2, slower=1.2)).high == pytest.approx(1.2)
    assert slow_cpus.RULE.apply(Interval(1.0, 1.0), grown, Context(2, 2, slower=3.0)).high == pytest.approx(1.5)
    assert slow_cpus.RULE.apply(Interval(1.0, 1.0), grown, Context(2, 2)) == Interval(1.0, 1.0)


def test_slow_cpus_leave_two_callables_their_own_computing() -> None:
    saved = round_(reading(0.02), reading(0.01))
    assert slow_cpus.RULE.apply(Interval(2.0, 2.0), saved, Context(slower=1.0, apart=True)).low == 2.0
    assert slow_cpus.RULE.apply(Interval(2.0, 2.0), saved, Context(slower=1.0)).low == pytest.approx(1.0)


def test_stolen_time_may_have_been_computing() -> None:
    stolen = round_(reading(0.01, 0.01), interference=Interference(0.0, 0.25, 0.0))
    assert stolen_time.RULE.apply(Interval(0.5, 0.5), stolen, Context()) == Interval(0.5, pytest.approx(0.75))
    assert stolen_time.RULE.apply(NONE, round_(reading(0.0, 0.01), interference=QUIET), Context()) == NONE


def test_answered_waits_may_have_been_waiting() -> None:
    asked = round_(reading(0.01, 0.0, delay=0.01, switches=40))
    assert answered_waits.RULE.apply(Interval(1.0, 1.0), asked, Context()) == Interval(pytest.approx(0.5), 1.0)
    alone = round_(reading(0.01, 0.0, delay=0.01, switches=1))
    assert answered_waits.RULE.apply(Interval(1.0, 1.0), alone, Context()) == Interval(1.0, 1.0)


def test_hidden_computing_may_be_all_of_a_wait() -> None:
    handed = round_(reading(0.002, 0.008, accounting="unseen"), interference=BUSY)
    assert hidden_computing.RULE.apply(Interval(0.2, 0.2), handed, Context()) == Interval(0.2, 1.0)


def test_hidden_computing_is_no_more_than_helpers_waited() -> None:
    handed = round_(reading(0.002, 0.008, accounting="helped", helpers_delay=0.004), interference=BUSY)
    assert hidden_computing.RULE.apply(Interval(0.2, 0.2), handed, Context()) == Interval(0.2, pytest.approx(2 / 6))


def test_widening_by_late_helpers_names_its_rule() -> None:
    helped = [reading(0.01, 0.005, accounting="unseen")] * 2
    seen = round_(reading(0.01, 0.01, accounting="unseen"), *helped, interference=BUSY)
    limited = intervals.limited_speedup(seen, Context(2, 2))
    assert limited is not None
    assert [name for name, _ in intervals.widened_speedup(limited, seen, Context(2, 2)).steps] == ["late-helpers"]
