"""Calls that merely differ could have given the same rounds.

See :mod:`pytest_concurrency.engine.chance` for the test of exchangeability.
"""

from __future__ import annotations

from pytest_concurrency.engine import chance, constants
from pytest_concurrency.engine.rules.base import Leaning, VetoRule


def could_be_chance(leaning: Leaning, side: int) -> bool:
    """Whether calls that merely differ may well have given the rounds that support this side."""
    rounds = [vote.calls for vote in leaning.votes if vote.calls is not None]
    if 2 * len(rounds) <= len(leaning.votes):
        return False
    if side > 0:
        return chance.drawn(rounds) < leaning.votes[-1].cut
    # Draws that would be too slow themselves are no excuse.
    return chance.chance(rounds) > constants.CHANCE and chance.drawn_at_most(rounds) >= leaning.votes[-1].cut


RULE = VetoRule(
    "could-be-chance",
    could_be_chance,
    failure="a body of which three calls in ten take five times as long was not met in one run of thirty",
    evidence="promise: 1e-4 a verdict; tests/unit/engine/test_chance.py",
    sentence="calls that merely differ, as with a cache, could look so slow by chance",
    stage="verdict",
)
