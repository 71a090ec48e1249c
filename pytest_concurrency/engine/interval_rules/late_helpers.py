"""Threads and processes that the body starts compute for it beside other programs: how long they waited is unknown."""

from __future__ import annotations

from pytest_concurrency.core.model import Interval, Round
from pytest_concurrency.engine import readings
from pytest_concurrency.engine.interval_rules.base import Change, Context, alone, least_time, work
from pytest_concurrency.engine.rule import Rule


def widen_for_late_helpers(interval: Interval, round_: Round, context: Context) -> Interval:
    """Allow for the least that a single worker needs, and for helpers that spun while others had no CPU."""
    if not readings.helpers_late(round_):
        return interval
    least = context.workers * _least_alone(round_, context)
    low = interval.low * min(1.0, least / work(round_, context))
    return Interval(low, max(interval.high, float(context.workers)))


def _least_alone(round_: Round, context: Context) -> float:
    """What a single worker needs at least: its helpers may have waited for a CPU all the time that it did."""
    reading = alone(round_)
    if reading.accounting != "unseen":
        return readings.quiet_time(reading)
    return max(least_time(reading.cpu, context.cpus, context.in_turn.low), readings.TINY)


RULE: Rule[Change] = Rule(
    "late-helpers",
    widen_for_late_helpers,
    failure="a pool of the body's own that had no CPU in the serial batch voted for a speedup in 7 of 7 rounds",
    evidence="judgement: neither a bound of their run delay nor what they did meanwhile is known",
    sentence="other threads or processes compute for the body, and how long these waited for a CPU is not known",
)
