"""No figure above what a shared GIL allows: computing that holds it is done in turn, whatever the number of CPUs."""

from __future__ import annotations

from pytest_concurrency.core.model import Interval, Round
from pytest_concurrency.engine.interval_rules.base import Change, Context, together, work
from pytest_concurrency.engine.readings import TINY
from pytest_concurrency.engine.rule import Rule


def limit_to_gil(interval: Interval, round_: Round, context: Context) -> Interval:
    """Return what the largest and the smallest part that may hold the GIL leave of the two bounds."""
    sample, once = together(round_), work(round_, context)
    # What has been done in the batch's time can be done in it, whatever a probe says of the GIL.
    shortest = min(sample.cpu * context.in_turn.low, sample.wall)
    longest = sample.cpu * context.in_turn.high
    return Interval(min(interval.low, once / max(longest, TINY)), min(interval.high, once / max(shortest, TINY)))


RULE: Rule[Change] = Rule(
    "gil-limit",
    limit_to_gil,
    failure="threads that queue for the GIL had their wait taken off as interference, and computing seemed to overlap",
    evidence="promise: one thread at a time holds the GIL (docs.python.org, thread state and the GIL)",
    sentence="the workers hold one GIL in turn",
)
