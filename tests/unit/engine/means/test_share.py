"""The sequential test of a share of time."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_concurrency.core.model import Interval
from pytest_concurrency.engine import constants
from pytest_concurrency.engine.claims import ShareClaim
from pytest_concurrency.engine.decision import Decision
from pytest_concurrency.engine.means import share
from pytest_concurrency.engine.spread import spread_of
from pytest_concurrency.engine.voting import Vote, cast

from ..exact import binomial_tail

HALF = math.log(1.25) / 2
Call = tuple[float, float]  # seconds that it computes and that it waits


def two_kinds(part: float, computes: float, waits: float) -> Callable[[random.Random], Call]:
    """Return how to draw a call: that part of the calls computes, the others wait."""
    return lambda rng: (computes, 0.0005) if rng.random() < part else (0.0005, waits)


# How to draw a call, and the share of computing.
KINDS: dict[str, tuple[Callable[[random.Random], Call], float]] = {
    "half compute": (two_kinds(0.5, 0.01, 0.01), 0.5),
    "one in ten computes ten times as long": (two_kinds(0.1, 0.1, 0.01), 0.10045 / 0.1955),
    "one in ten waits ten times as long": (two_kinds(0.9, 0.01, 0.1), 0.00905 / 0.0195),
    "random times": (lambda rng: (rng.expovariate(100), rng.expovariate(100)), 0.5),
}


def vote(call: Call, cut: float) -> Vote:
    part, whole = call[0] / sum(call), sum(call)
    made = cast(Interval(max(part, 1e-6), max(part, 1e-6)), cut, 0.01)
    return replace(made, figure=part, whole=whole, work=part * whole, half=HALF)


def decided(call: Callable[[], Call], cut: float, rounds: int) -> int:
    """Return the side after at most so many rounds, if the calls are seen to vary."""
    votes: list[Vote] = []
    for number in range(rounds):
        votes.append(vote(call(), cut))
        if number >= constants.LOOKS and spread_of(votes).varies:
            side = share.side(
                votes, constants.MEANS_ERROR, constants.MEANS_FIRST_ERROR * constants.MEANS_CONFIRMING_ERROR
            )
            if side:
                return side
    return 0


@pytest.mark.parametrize("away", [1, -1], ids=["at the lower end", "at the upper end"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_share_at_an_end_of_the_margin_is_not_taken_for_the_other_side(kind: str, away: int) -> None:
    draw, true = KINDS[kind]
    rng = random.Random(f"{kind} {away}")
    wrong = sum(decided(lambda: draw(rng), true * math.exp(HALF * away), 60) == away for _ in range(40))
    assert binomial_tail(wrong, 40, 1e-4) > 0.01


@pytest.mark.parametrize(("cut", "side"), [(0.05, 1), (0.95, -1)])
def test_calls_that_compute_or_wait_are_decided_far_from_the_cut(cut: float, side: int) -> None:
    rng = random.Random(4)
    assert [decided(lambda: KINDS["half compute"][0](rng), cut, 120) for _ in range(10)] == [side] * 10


def test_phases_of_alike_rounds_are_not_counted_as_independent() -> None:
    shares = [0.9] * 20 + [0.1] * 20
    assert share.variance_of_mean(shares) > 3 * share.variance_of_mean([0.9, 0.1] * 20)


def test_one_long_call_is_not_many_rounds() -> None:
    votes = [vote((0.0005, 0.01), 0.5)] * 40 + [vote((1.0, 0.0005), 0.5)]
    assert share.effective_rounds(votes) < 3
    assert share.side(votes, 1e-3, 1e-3) == 0


def test_figure_is_the_share_of_all_time() -> None:
    found = share.figure([vote((0.03, 0.01), 0.5), vote((0.0, 0.02), 0.5)] * 10)
    assert found is not None
    assert found[0] == pytest.approx(0.5)
    assert found[1].low < 0.5 < found[1].high


def test_a_body_whose_calls_compute_or_wait_is_met_although_they_vary() -> None:
    """It was undecided: beside a threshold of 5%, shares of 20% to 90% vary by many times the threshold."""
    claim = ShareClaim("cpu", 0.05, 0.25)
    case, rng = Decision(claim), random.Random(2)
    for number in range(100):
        if not case.open:
            break
        case.take(vote((rng.uniform(0.002, 0.03), rng.uniform(0.002, 0.01)), 0.05), early=number < constants.LOOKS)
    assert case.verdict == "met"
