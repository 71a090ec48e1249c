"""The figure fell while it was measured, as behind a rate limit that lets a burst through."""

from __future__ import annotations

from pytest_concurrency.core.model import Interval
from pytest_concurrency.engine import drift
from pytest_concurrency.engine.claims import margin_cut
from pytest_concurrency.engine.rules.base import Fell, Leaning, VetoRule


def falling(leaning: Leaning, side: int) -> bool:
    """Whether the first third of the rounds lies significantly above the last."""
    return change(leaning) is not None


def change(leaning: Leaning) -> tuple[float, float] | None:
    """Return from what to what the figure fell, or None."""
    if not leaning.pair or not leaning.one_body or not leaning.claim.statistic.of_times or leaning.spread.varies:
        return None
    bounds: list[Interval] = [read for vote in leaning.votes if (read := vote.read or vote.interval) is not None]
    found = drift.fall(bounds)
    # A figure that is on one side all the time has a verdict, however it changes.
    return found if found is not None and found[0] > margin_cut(leaning.claim.margin) > found[1] else None


def reason(leaning: Leaning) -> Fell:
    """Return from what to what it fell."""
    before, after = change(leaning) or (1.0, 1.0)
    return Fell(before, after, len(leaning.rounds))


RULE = VetoRule(
    "falling",
    falling,
    failure="a token bucket of 20 let the first rounds through, and showed 4x where 1.2x is sustained",
    evidence="judgement: a factor of 1.3, above the margin, between bounds that lie apart",
    sentence="the figure fell while it was measured",
    stage="end",
    reason=reason,
)
