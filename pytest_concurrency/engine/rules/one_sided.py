"""Calls vary, and rounds that would have contradicted say nothing: those that are left are no random sample."""

from __future__ import annotations

from pytest_concurrency.engine import constants
from pytest_concurrency.engine.rules.base import Leaning, VetoRule


def one_sided(leaning: Leaning, side: int) -> bool:
    """Whether many votes against this side were silenced.

    Where calls are alike, a round that other programs cannot have made fast enough is evidence. Where they vary, a few
    rounds are fast by chance, and the slow ones would have made up for them.
    """
    if not leaning.spread.varies:
        return False
    silenced = sum(vote.silenced == -side for vote in leaning.counted)
    said = sum(vote.direction == side for vote in leaning.counted)
    return silenced > constants.SILENCED * said


RULE = VetoRule(
    "one-sided",
    one_sided,
    failure="waits of random length in helper threads: 2.4x read as 7x, as only rounds above the cut counted",
    evidence="judgement: simulated, 86 of 100 tests of such waits were wrongly met, and 1 of 60 with it",
    sentence="the calls vary, and rounds that contradict it may be due to other programs",
)
