"""Something seemed to happen that must never, and too few rounds since then say that it was an error.

A block of the event loop in one call of ten was outvoted by the nine others.
"""

from __future__ import annotations

from pytest_concurrency.engine import constants
from pytest_concurrency.engine.rules.base import Leaning, VetoRule


def unrefuted(leaning: Leaning, side: int) -> bool:
    """Whether it would be met although what was seen now and then is not refuted."""
    claim = leaning.claim
    return (
        claim.statistic.zero_tolerance
        and side == claim.met_when
        and len(leaning.counted) < constants.REFUTES * leaning.suspected
    )


RULE = VetoRule(
    "suspicion-not-refuted",
    unrefuted,
    failure="a block of 80 ms in one call of ten, where 50 ms are allowed, was met",
    evidence="judgement: one in twenty would have shown again",
    sentence="a few rounds seemed to exceed the limit, and too few others have refuted them",
)
