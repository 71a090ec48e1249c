from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_concurrency.core.model import BlockProbe, GilProbe, Interference, Interval, Reading
from pytest_concurrency.engine.claims import (
    GilClaim,
    Knowledge,
    LongestClaim,
    OverlapClaim,
    ShareClaim,
    SpeedupClaim,
    gil_vote,
    margin_cut,
    shortest_batch,
)
from pytest_concurrency.engine.spread import spread_of
from pytest_concurrency.engine.voting import Vote

from ..make import reading, round_

KNOWN = Knowledge(cpus=8.0)


def probe(surely: float, perhaps: float, cpu: float = 0.01, beats: int = 12) -> GilProbe:
    return GilProbe(0.01, cpu, surely, perhaps, Interval(surely, perhaps), beats)


def waits(*walls: float, alone: float = 0.1) -> object:
    return round_(reading(0.0, alone), *(reading(0.0, wall) for wall in walls))


def test_call_that_is_faster_in_the_concurrent_run_shows_varying_calls() -> None:
    claim = SpeedupClaim(4, 3.0, 0.25)
    by_chance = [claim.vote(waits(0.1, 0.3, 0.3, 0.3, alone=0.3), None, KNOWN) for _ in range(5)]  # all slow alone
    queueing = [claim.vote(waits(0.1, 0.2, 0.3, 0.4), None, KNOWN) for _ in range(5)]
    in_tasks = [claim.vote(waits(0.1, alone=0.3), None, KNOWN) for _ in range(5)]  # all of them in one thread
    assert spread_of(by_chance).group > 1
    assert spread_of(in_tasks).group > 1
    assert spread_of(queueing).seen == 0


@given(st.floats(0.5, 20), st.floats(0.05, 2), st.booleans())
def test_threshold_and_loss_are_equally_far_from_the_cut(threshold: float, slack: float, at_most: bool) -> None:
    claim = SpeedupClaim(4, threshold, slack, at_most)
    cut = margin_cut(claim.margin)
    assert cut / claim.margin.low == pytest.approx(claim.margin.high / cut)
    assert threshold in (claim.margin.low, claim.margin.high)
    assert claim.margin.high / claim.margin.low == pytest.approx(1 + slack)


@pytest.mark.parametrize(
    ("claim", "finish", "direction"),
    [
        (SpeedupClaim(4, 3.0, 0.25), 0.4 / 3.0, 1),
        (SpeedupClaim(4, 3.0, 0.25), 0.4 / 2.4, -1),
        (SpeedupClaim(4, 2.0, 0.25, at_most=True), 0.4 / 2.0, -1),
        (SpeedupClaim(4, 2.0, 0.25, at_most=True), 0.4 / 2.5, 1),
        (OverlapClaim(4, 0.25), 0.1, 1),
        (OverlapClaim(4, 0.25), 0.4, -1),
    ],
)
def test_rounds_vote_for_the_side_they_are_on(claim: SpeedupClaim, finish: float, direction: int) -> None:
    vote = claim.vote(waits(*[finish] * 4), None, KNOWN)
    assert vote.direction == direction
    assert vote.figure == pytest.approx(0.4 / finish)


def test_a_bound_above_is_as_careful_on_both_sides() -> None:
    assert set(SpeedupClaim(4, 3.0, 0.25, at_most=True).needs_confirmation_on) == {1, -1}
    assert SpeedupClaim(4, 3.0, 0.25).needs_confirmation_on == (-1,)


@pytest.mark.parametrize(
    ("kind", "cpu", "wait", "direction"),
    [("wait", 0.0, 0.1, 1), ("wait", 0.1, 0.0, -1), ("cpu", 0.1, 0.0, 1), ("cpu", 0.0, 0.1, -1)],
)
def test_shares_vote(kind: str, cpu: float, wait: float, direction: int) -> None:
    assert ShareClaim(kind, 0.5, 0.25).vote(round_(reading(cpu, wait, 3.0)), None, KNOWN).direction == direction


@given(st.floats(0, 1), st.integers(2, 64))
def test_overlapping_waits_are_never_slower_than_queueing_ones(share: float, workers: int) -> None:
    """Up to half of computing; where it computes more, waits in a queue are not what counts."""
    overlapping, queueing = OverlapClaim(workers, 0.25).expected(share)
    assert queueing * 1.0000001 >= 1
    assert overlapping <= workers * 1.0000001
    assert (overlapping >= queueing) == (share <= 0.5) or math.isclose(overlapping, queueing)


def test_overlap_is_no_question_of_a_body_that_computes() -> None:
    computing = round_(reading(0.1), *[reading(0.1)] * 4)
    assert OverlapClaim(4, 0.25).vote(computing, None, KNOWN).direction == 0


@pytest.mark.parametrize(
    ("heard", "direction"),
    [
        (probe(0.009, 0.01), 1),
        (probe(0.0, 0.001), -1),
        (probe(0.001, 0.009), 0),
        (probe(0.0, 0.0, beats=1), 0),
        (probe(0.0, 0.0, cpu=0.0), 0),
        (probe(0.009, 0.01, beats=0), 0),
        (None, 0),
    ],
)
def test_a_heartbeat_votes_if_it_beat(heard: GilProbe | None, direction: int) -> None:
    assert gil_vote(heard).direction == direction
    assert GilClaim("held").vote(round_(reading(0.01)), heard, KNOWN).direction == direction


def test_a_gil_claim_is_met_by_what_it_names() -> None:
    assert GilClaim("held").met_when == 1
    assert GilClaim("released").met_when == -1
    assert GilClaim("released").needs_confirmation_on == (1,)


@pytest.mark.parametrize(("low", "high", "direction"), [(0.2, 0.21, 1), (0.001, 0.002, -1), (0.001, 0.2, 0)])
@pytest.mark.parametrize("kind", ["hold", "block"])
def test_the_longest_stretch_votes(kind: str, low: float, high: float, direction: int) -> None:
    longest = Interval(low, high)
    measured = round_(
        reading(0.3),
        gil=GilProbe(0.3, 0.3, 0.3, 0.3, longest, 10) if kind == "hold" else None,
        block=BlockProbe(longest) if kind == "block" else None,
    )
    claim = LongestClaim(kind, 0.05, 0.25)
    assert claim.vote(measured, None, KNOWN).direction == direction
    assert LongestClaim("block" if kind == "hold" else "hold", 0.05, 0.25).vote(measured, None, KNOWN).direction == 0


@pytest.mark.parametrize(("foreign", "has_gil", "direction"), [(0.0, True, 1), (1.0, True, 0), (1.0, False, 1)])
@pytest.mark.parametrize("kind", ["hold", "block"])
def test_thread_without_a_cpu_may_have_held_the_gil_beside_others(
    kind: str, foreign: float, has_gil: bool, direction: int
) -> None:
    longest, least = Interval(0.2, 0.21), 0.02
    measured = round_(
        reading(0.3),
        gil=GilProbe(0.3, 0.3, 0.3, 0.3, longest, 10, least_beside_others=least) if kind == "hold" else None,
        block=BlockProbe(longest, least_beside_others=least) if kind == "block" else None,
        interference=Interference(foreign, 0.0, 0.0),
        has_gil=has_gil,
    )
    assert LongestClaim(kind, 0.05, 0.25).vote(measured, None, KNOWN).direction == direction


@pytest.mark.parametrize(
    ("gil", "one_interpreter", "alone"), [("held", True, True), ("held", False, False), ("released", True, False)]
)
def test_only_a_shared_gil_keeps_computing_apart(gil: str, one_interpreter: bool, alone: bool) -> None:
    assert Knowledge(4.0, gil, one_interpreter).computes_alone is alone


def test_the_shorter_batch_counts() -> None:
    assert shortest_batch(round_(reading(0.3), reading(0.1), reading(0.1))) == pytest.approx(0.1)
    assert shortest_batch(round_(reading(0.3))) == pytest.approx(0.3)


@pytest.mark.parametrize("taken", [Interference(0.0, 0.65, 0.0), Interference(0.0, 0.0, 0.65)], ids=["steal", "quota"])
class TestACpuThatWasTakenAway:
    def test_is_not_waiting(self, taken: Interference) -> None:
        computes = round_(Reading(0.0, 0.020, 0.007, 0.0, 0.0, 0), interference=taken)
        assert ShareClaim("cpu", 0.5, 0.25).vote(computes, None, KNOWN).direction == 0
        assert ShareClaim("wait", 0.5, 0.25).vote(computes, None, KNOWN).direction == 0

    def test_leaves_what_is_beyond_doubt(self, taken: Interference) -> None:
        computes = round_(Reading(0.0, 0.020, 0.018, 0.0, 0.0, 0), interference=taken)
        assert ShareClaim("cpu", 0.5, 0.25).vote(computes, None, KNOWN).direction == 1
        assert ShareClaim("wait", 0.5, 0.25).vote(computes, None, KNOWN).direction == -1

    def test_is_no_block_of_the_loop(self, taken: Interference) -> None:
        blocked = replace(
            round_(Reading(0.0, 0.2, 0.1, 0.0, 0.0, 0), interference=taken), block=BlockProbe(Interval(0.08, 0.085))
        )
        assert LongestClaim("block", 0.05, 0.25).vote(blocked, None, KNOWN).direction == 0


@pytest.mark.parametrize("kind", ["hold", "block"])
def test_a_sighting_weighs_by_the_probe_and_not_by_its_distance_from_the_cut(kind: str) -> None:
    near, far = (_longest(kind, seconds, 0.0) for seconds in (0.065, 0.5))
    assert near.direction == far.direction == 1
    assert near.weight == far.weight > 6
    assert _longest(kind, 0.058, 0.0).weight < 2  # above the cut of 56 ms by less than the probe tells apart
    assert _longest(kind, 0.065, None).weight < 4  # without run delay that may be someone else's


def _longest(kind: str, seconds: float, delay: float | None) -> Vote:
    seen = round_(Reading(0.0, 0.6, 0.1, delay, delay, 0), interference=Interference(0.0, 0.0, 0.0))
    interval = Interval(seconds, seconds)
    probe = GilProbe(0.6, 0.1, 0.0, 0.0, interval, 100)
    seen = replace(seen, block=BlockProbe(interval)) if kind == "block" else replace(seen, gil=probe)
    return LongestClaim(kind, 0.05, 0.25).vote(seen, None, KNOWN)


def test_a_hundredth_of_each_of_many_cpus_is_no_interference() -> None:
    stolen, known = Interference(foreign=0.1, steal=0.64, throttled=0.0, cpus=64.0), Knowledge(cpus=64.0)
    alone = reading(cpu=0.01, late=0.0, switches=1)
    computes = round_(alone, *[alone] * 8, interference=stolen)
    assert SpeedupClaim(8, 6.0, 0.25).vote(computes, None, known).direction == 1
    waits = round_(reading(cpu=0.0001, wait=0.01, late=0.0, switches=1), interference=stolen)
    assert ShareClaim("wait", 0.5, 0.25).vote(waits, None, known).direction == 1
    on_two = replace(computes, interference=replace(stolen, cpus=2.0))
    assert SpeedupClaim(8, 6.0, 0.25).vote(on_two, None, known).interval is None


def test_run_delay_of_a_body_that_often_waits_may_be_waiting() -> None:
    answered = reading(cpu=0.006, wait=0.0001, delay=0.004, late=0.0, switches=20)
    assert ShareClaim("cpu", 0.84, 0.25).vote(round_(answered), None, KNOWN).direction == 0
    computes = replace(answered, switches=0)
    assert ShareClaim("cpu", 0.84, 0.25).vote(round_(computes), None, KNOWN).direction == 1


@given(st.floats(0.0, 1.0), st.integers(2, 64))
def test_overlap_shows_from_the_least_share_of_waiting_on(waiting: float, workers: int) -> None:
    claim = OverlapClaim(workers, 0.25)
    if 0.5 < waiting < claim.least_wait - 0.01:
        assert not claim.shows(1 - waiting)
    elif claim.least_wait <= waiting < 0.99:
        assert claim.shows(1 - waiting)
