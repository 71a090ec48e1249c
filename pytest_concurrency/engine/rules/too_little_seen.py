"""Too little was seen for calls of another kind to have shown.

A body whose every hundredth call took most of its time was judged by the calls before it. What must never happen is not
refuted by few rounds either.
"""

from __future__ import annotations

from pytest_concurrency.engine.rules.base import Leaning, VetoRule


def too_little_seen(leaning: Leaning, side: int) -> bool:
    """Whether calls of another kind may well be to come; what must never happen and did needs no more rounds."""
    return leaning.early and (not leaning.claim.statistic.zero_tolerance or side == leaning.claim.met_when)


RULE = VetoRule(
    "too-little-seen",
    too_little_seen,
    failure="a share was decided by five rounds, and the call that took most of the time came in the twentieth",
    evidence="judgement: 32 rounds or 0.15 s, and 100 rounds or 0.25 s of what must never happen",
    sentence="too few calls were seen",
)
