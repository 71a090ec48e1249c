"""Calls of varying duration could have given the same rounds by chance.

See :mod:`pytest_concurrency.engine.chance` for the test of exchangeability.
"""

from __future__ import annotations

from pytest_concurrency.engine import chance, constants
from pytest_concurrency.engine.rules.base import Leaning, VetoRule


def could_be_chance(leaning: Leaning, side: int) -> bool:
    """Whether varying durations alone may well have given the rounds that support this side."""
    known = [(vote.calls, vote.cut) for vote in leaning.votes if vote.calls is not None]
    if 2 * len(known) <= len(leaning.votes):
        return False
    rounds, cut = [calls for calls, _ in known], known[-1][1]  # a round that says nothing has no cut
    if side > 0:
        return chance.drawn(rounds) < cut
    # If random draws would also stay below the cut, chance does not change the verdict, so it stands.
    return chance.chance(rounds) > constants.CHANCE and chance.drawn_at_most(rounds) >= cut


RULE = VetoRule(
    "could-be-chance",
    could_be_chance,
    failure="a body of which three calls in ten take five times as long was not met in one run of thirty",
    evidence="promise: 1e-4 a verdict; tests/unit/engine/test_chance.py",
    sentence="the calls vary in duration, as with a cache, so this result may be due to chance",
    stage="verdict",
)
