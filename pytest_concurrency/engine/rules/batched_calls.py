"""Calls that vary and are too short to be measured one by one: their batches overstate the speedup."""

from __future__ import annotations

import math

from pytest_concurrency.core import stats
from pytest_concurrency.engine import constants
from pytest_concurrency.engine.claims import margin_cut
from pytest_concurrency.engine.rules.base import BatchedCalls, Leaning, VetoRule


def batched_calls(leaning: Leaning, side: int) -> bool:
    """Whether the figure lies above the cut, and its rounds are of batches of calls that vary much.

    The speedup of calls that vary is that of single calls: N of them at once are done when the longest is. The longest
    of N sums of calls is nearer to the mean, so batches show more than single calls would. Below the cut they are
    evidence all the same.
    """
    together = leaning.rounds[-1].concurrent if leaning.rounds else None
    if together is None or together.loops < 2 or not leaning.pair or not leaning.one_body:
        return False
    figures = [vote.figure for vote in leaning.votes if vote.figure is not None]
    if not leaning.claim.statistic.of_times or not figures or stats.median(figures) <= margin_cut(leaning.claim.margin):
        return False
    seen = leaning.spread.seen
    of_calls = seen * math.sqrt(together.loops)  # if each call varies by itself
    return seen > constants.UNEVEN and constants.VARIES_MUCH < of_calls < constants.VARIES_IMPLAUSIBLY


def reason(leaning: Leaning) -> BatchedCalls:
    """Return how many calls a batch was."""
    return BatchedCalls(leaning.rounds[-1].serial.loops)


RULE = VetoRule(
    "batched-calls",
    batched_calls,
    failure="tasks that sleep 1.5 ms, every second one three times as long, showed 3.4x where single calls give 2.7x",
    evidence="judgement: the longest of four exponential calls takes 2.1 times their mean, of sums of five 1.5 times",
    sentence="the calls vary, and they are too short to be measured one by one",
    stage="end",
    reason=reason,
)
