"""The body itself became slower, or faster, from round to round."""

from __future__ import annotations

from pytest_concurrency.engine import drift
from pytest_concurrency.engine.rules.base import Drifted, Leaning, VetoRule


def drifting(leaning: Leaning, side: int) -> bool:
    """Whether a serial body's time has changed steadily, and by much."""
    return leaning.pair and drift.factor(leaning.rounds) is not None


def reason(leaning: Leaning) -> Drifted:
    """Return by how much it has changed."""
    return Drifted(drift.factor(leaning.rounds) or 1.0, len(leaning.rounds))


RULE = VetoRule(
    "drifting",
    drifting,
    failure="a list that grew with each call made every figure depend on how often the body had run",
    evidence="judgement: a rank correlation of 0.85 and a factor of 2",
    sentence="the body has changed from round to round",
    stage="end",
    reason=reason,
)
