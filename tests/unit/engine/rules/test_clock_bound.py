"""Calls that waits for a CPU do not make longer, as they end at a time."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_concurrency.core.model import Interval, Reading, Round, Sample
from pytest_concurrency.engine.claims import LongestClaim, ShareClaim, SpeedupClaim, margin_cut
from pytest_concurrency.engine.rules import clock_bound
from pytest_concurrency.engine.rules.base import ClockBound, Leaning
from pytest_concurrency.engine.voting import cast

HOLD = LongestClaim("hold", 0.01, 0.25)
COMPARE = SpeedupClaim(2, 0.7, 0.25)


def polls(delay: float) -> Reading:
    """Until 20 ms have passed."""
    return Reading(0.0, 0.02, 0.02 - delay, delay, accounting="one")


def computes(delay: float) -> Reading:
    """For 8 ms, whatever it has to wait for."""
    return Reading(0.0, 0.008 + delay, 0.008, delay, accounting="one")


def leaning(
    claim: LongestClaim | SpeedupClaim | ShareClaim,
    first: Callable[[float], Reading],
    second: Callable[[float], Reading] | None = None,
    figure: float = 0.008,
    rounds: int = 20,
) -> Leaning:
    """Rounds whose delay is drawn, and votes with this figure."""
    drawn = random.Random(1)

    def late(make: Callable[[float], Reading]) -> Sample:
        return Sample(1, (make(drawn.uniform(0.008, 0.016)),))

    found = [Round(number, late(first), late(second) if second else None) for number in range(rounds)]
    vote = cast(Interval(figure, figure), margin_cut(claim.margin), 0.02)
    votes = [replace(vote, figure=figure)] * rounds
    return Leaning(claim, votes, votes, rounds=found, pair=second is not None, one_body=second is None)


def test_hold_that_polls_is_not_met_by_what_delay_took_off() -> None:
    held = leaning(HOLD, polls)
    assert clock_bound.RULE.apply(held, -1)
    assert clock_bound.reason(held) == ClockBound()
    assert not clock_bound.clock_bound(held, 1)  # read too short, and too long all the same
    assert not clock_bound.clock_bound(held, 0)
    assert not clock_bound.clock_bound(leaning(HOLD, polls, figure=0.001), -1)  # far below the limit anyway


def test_computing_takes_longer_by_each_delay() -> None:
    assert not clock_bound.clock_bound(leaning(HOLD, computes), -1)
    assert clock_bound.stretch([Sample(1, (computes(0.001 * number),)) for number in range(20)]) == 1.0


@pytest.mark.parametrize(("first", "second", "side"), [(polls, computes, -1), (computes, polls, 1)])
def test_either_of_two_functions_may_poll(
    first: Callable[[float], Reading], second: Callable[[float], Reading], side: int
) -> None:
    figure = 0.4 if side < 0 else 0.9
    assert clock_bound.clock_bound(leaning(COMPARE, first, second, figure), side)
    assert not clock_bound.clock_bound(leaning(COMPARE, second, first, figure), side)


def test_share_of_computing_does_not_depend_on_it() -> None:
    assert not clock_bound.clock_bound(leaning(ShareClaim("cpu", 0.5, 0.25), polls, figure=0.3), -1)


def test_delay_of_two_functions_has_to_be_shown_to_prolong_them() -> None:
    """Beside programs that take turns of one length, polling waits equally long for a CPU in each round."""
    steady = [Sample(1, (polls(0.012),))] * 20
    assert clock_bound.stretch(steady) == 1.0
    assert clock_bound.stretch(steady, exact=True) == pytest.approx(2.5)
    assert clock_bound.stretch([Sample(1, (computes(0.012 + 1e-5 * n),)) for n in range(20)], exact=True) == 1.0
    assert clock_bound.stretch([Sample(1, (computes(0.0),))] * 20, exact=True) == 1.0


def test_few_rounds_and_unknown_or_equal_delays_say_nothing() -> None:
    assert clock_bound.stretch([Sample(1, (polls(0.001 * number),)) for number in range(4)]) == 1.0
    assert clock_bound.stretch([Sample(1, (polls(0.01),))] * 20) == 1.0
    assert clock_bound.stretch([Sample(1, (replace(polls(0.01), delay=None),))] * 20) == 1.0
    by_helpers = [Sample(1, (replace(polls(0.0005 * number), accounting="helped"),)) for number in range(20)]
    assert clock_bound.stretch(by_helpers) == 1.0
    by_threads = [Sample(1, (replace(polls(0.012), accounting="seen"),)) for _ in range(20)]
    assert clock_bound.stretch(by_threads, exact=True) == 1.0  # the delay of all threads together
