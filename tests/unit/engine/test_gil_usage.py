from __future__ import annotations

import pytest

from pytest_concurrency.core.model import GilProbe, GilUse, Interval, Round
from pytest_concurrency.engine.claims import GilClaim, Knowledge
from pytest_concurrency.engine.gil_usage import GilUsage

from ..make import reading, round_

HELD = GilProbe(0.01, 0.01, 0.009, 0.01, Interval(0.005, 0.006), 12)
FREE = GilProbe(0.01, 0.01, 0.0, 0.001, Interval(0.0, 0.0005), 12)
UNSURE = GilProbe(0.01, 0.01, 0.002, 0.009, Interval(0.0, 0.0005), 12)
IN_TURN = round_(reading(0.01), reading(0.01, 0.01), reading(0.01, 0.01))
OVERLAPPED = round_(reading(0.01), reading(0.01), reading(0.01))


@pytest.mark.parametrize(("probe", "answer"), [(HELD, "held"), (FREE, "released")])
def test_one_heartbeat_is_not_enough_and_a_few_are(probe: GilProbe, answer: str) -> None:
    question = GilUsage(has_gil=True)
    question.observe(IN_TURN)
    question.take(probe)
    assert question.answer == "unknown"
    assert question.open
    for _ in range(3):
        question.observe(IN_TURN)
        question.take(probe)
    assert question.answer == answer
    assert not question.open


def test_without_a_gil_there_is_no_question() -> None:
    question = GilUsage(has_gil=False)
    assert question.answer == "disabled"
    assert not question.open


def test_computing_that_overlapped_did_not_hold_the_gil() -> None:
    question = GilUsage(has_gil=True)
    for _ in range(4):
        question.observe(OVERLAPPED)
        question.take(HELD)
    assert question.answer == "unknown"


def test_it_stays_unknown_after_some_tries() -> None:
    question = GilUsage(has_gil=True)
    asked = 0
    while question.open:
        question.observe(IN_TURN)
        question.take(UNSURE)
        asked += 1
        assert asked < 50
    assert question.answer == "unknown"
    assert asked > 3


def test_where_it_cannot_be_asked_it_is_asked_once() -> None:
    question = GilUsage(has_gil=True)
    question.observe(IN_TURN)
    question.take(None)
    assert not question.open
    assert question.answer == "unknown"


def test_workers_with_a_gil_each_say_nothing_about_it() -> None:
    question = GilUsage(has_gil=True)
    for _ in range(4):
        question.take(HELD)
    assert question.answer == "held"


def test_an_overlap_takes_back_what_was_known() -> None:
    question = GilUsage(has_gil=True)
    for _ in range(4):
        question.take(HELD)
    assert question.answer == "held"
    question.observe(OVERLAPPED)
    assert question.answer == "unknown"


@pytest.mark.parametrize(
    ("surely", "perhaps", "held"),
    [(0.9, 1.0, (1.0, 1.0)), (0.62, 0.7, (0.7, 0.7)), (0.6, 0.9, (0.6, 0.9))],
    ids=["all of it", "most of it", "who knows how much"],
)
def test_how_much_of_the_computing_held_it(surely: float, perhaps: float, held: tuple[float, float]) -> None:
    question = GilUsage(has_gil=True)
    for _ in range(4):
        question.take(GilProbe(0.01, 0.01, surely * 0.01, perhaps * 0.01, Interval(0.005, 0.006), 12))
    question.take(GilProbe(0.01, 0.01, 0.0, 0.0, Interval(0.0, 0.0), 1))  # a probe thread without a CPU
    assert (question.held.low, question.held.high) == pytest.approx(held)
    question.observe(OVERLAPPED)
    assert (question.held.low, question.held.high) == pytest.approx((0.5, 0.5))


BRIEFLY = GilProbe(0.01, 0.01, 0.0, 0.001, Interval(0.0, 0.0005), 12, taken_briefly=8)
FREE_BY_BEATS = GilProbe(0.01, 0.01, 0.0, 0.001, Interval(0.0, 0.0005), 12, taken_briefly=1)
BESIDE_OTHERS = round_(reading(0.01), reading(0.01, delay=0.01), reading(0.01, delay=0.01))


@pytest.mark.parametrize(
    ("probe", "round_", "answer"),
    [
        (BRIEFLY, IN_TURN, "briefly_released"),
        (BRIEFLY, OVERLAPPED, "released"),
        (BRIEFLY, BESIDE_OTHERS, "unknown"),
        (FREE, IN_TURN, "released"),
        (FREE_BY_BEATS, IN_TURN, "released"),  # a lock keeps them apart, and not the GIL
    ],
)
def test_gil_that_is_let_go_often_is_released_if_threads_gain_by_it(
    probe: GilProbe, round_: Round, answer: str
) -> None:
    question = GilUsage(has_gil=True, cpus=2)
    for _ in range(4):
        question.observe(round_)
        question.take(probe)
    assert question.answer == answer
    assert not question.open


@pytest.mark.parametrize(
    ("probe", "round_", "gil", "direction"),
    [
        (BRIEFLY, IN_TURN, "briefly_released", 1),
        (BRIEFLY, IN_TURN, "unknown", 0),  # their own lock may keep them from overlapping
        (BRIEFLY, OVERLAPPED, "unknown", -1),
        (BRIEFLY, BESIDE_OTHERS, "briefly_released", 0),
        (FREE, IN_TURN, "released", -1),
    ],
)
def test_claim_on_the_gil_asks_what_threads_gain(probe: GilProbe, round_: Round, gil: GilUse, direction: int) -> None:
    known = Knowledge(cpus=2, gil=gil)
    assert GilClaim("held").vote(round_, probe, known).direction == direction
