"""Rounds whose single worker did the bodies of all workers in turn: what they say of bodies that differ."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_concurrency.core.model import Round
from pytest_concurrency.engine import intervals, readings
from pytest_concurrency.engine.bound_type import classify
from pytest_concurrency.engine.chance import chance
from pytest_concurrency.engine.claims import Knowledge, OverlapClaim, SpeedupClaim
from pytest_concurrency.engine.plan import WorkerSetup

from ..make import reading, round_

KNOWN = Knowledge(cpus=8.0)
QUICK_FIRST = (0.002, 0.02, 0.02, 0.02)
SLOW_FIRST = (0.03, 0.002, 0.002, 0.002)
ONE_WAITS_ALONE = (0.04, 0.0, 0.0, 0.0)


def waiting(each: tuple[float, ...], *walls: float) -> Round:
    """A round of bodies that wait: their mean, and what each worker took."""
    serial = replace(reading(0.0, sum(each) / len(each)), each=each)
    return round_(serial, *(reading(0.0, wall) for wall in walls))


IN_PARALLEL = waiting(QUICK_FIRST, *QUICK_FIRST)
BEHIND_A_LOCK = waiting(SLOW_FIRST, 0.03, 0.032, 0.034, 0.036)


@pytest.mark.parametrize(("measured", "figure"), [(IN_PARALLEL, 3.1), (BEHIND_A_LOCK, 1.0)])
def test_speedup_is_that_of_the_same_bodies(measured: Round, figure: float) -> None:
    vote = SpeedupClaim(4, 2.0, 0.25).vote(measured, None, KNOWN)
    assert vote.figure == pytest.approx(figure)
    assert vote.direction == (1 if figure > 2 else -1)


def test_quick_first_body_is_no_call_of_another_kind() -> None:
    assert readings.faster_concurrently(IN_PARALLEL) == 0.0


def test_lock_is_no_chance() -> None:
    calls = intervals.calls(BEHIND_A_LOCK, 4)
    assert calls is not None
    assert chance([calls] * 10) < 1e-6


def test_bodies_that_take_what_they_took_alone_are_no_slower_calls() -> None:
    calls = intervals.calls(IN_PARALLEL, 4)
    assert calls is not None
    assert calls.concurrent == pytest.approx([calls.alone] * 4)


@pytest.mark.parametrize(
    ("measured", "direction"),
    [
        (IN_PARALLEL, 1),
        (waiting(SLOW_FIRST, *SLOW_FIRST), 1),
        (BEHIND_A_LOCK, -1),
        (waiting(ONE_WAITS_ALONE, *ONE_WAITS_ALONE), 0),
    ],
)
def test_waits_overlap_where_all_are_over_with_the_longest(measured: Round, direction: int) -> None:
    """Where one body waits for nearly all of the time, waits that overlap and that queue look the same: no vote."""
    assert OverlapClaim(4, 0.25).vote(measured, None, KNOWN).direction == direction


def test_waits_of_unequal_bodies_that_queue_are_found() -> None:
    queued = waiting(QUICK_FIRST, 0.002, 0.022, 0.042, 0.062)
    assert OverlapClaim(4, 0.25).vote(queued, None, KNOWN).direction == -1
    assert classify([queued], WorkerSetup("threads", 4), KNOWN).kind == "serialized"


def test_one_body_that_waits_for_the_others_too_is_not_called_serialized() -> None:
    assert classify([waiting(ONE_WAITS_ALONE, *ONE_WAITS_ALONE)], WorkerSetup("threads", 4), KNOWN).kind == "io"
