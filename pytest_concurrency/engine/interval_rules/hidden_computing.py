"""A share of waiting where helpers compute beside other programs: some of it may be computing that was delayed."""

from __future__ import annotations

from pytest_concurrency.core.model import Interval, Round
from pytest_concurrency.engine import readings
from pytest_concurrency.engine.interval_rules.base import Change, Context
from pytest_concurrency.engine.rule import Rule


def widen_for_hidden_computing(interval: Interval, round_: Round, context: Context) -> Interval:
    if not readings.helpers_late(round_):
        return interval
    reading = round_.serial.readings[0]
    waited = max(0.0, reading.blocked - round_.serial.helpers_delay)
    return Interval(interval.low, max(interval.high, reading.cpu / max(reading.cpu + waited, readings.TINY)))


RULE: Rule[Change] = Rule(
    "hidden-computing",
    widen_for_hidden_computing,
    failure="a body whose pool computed beside a busy program was called waiting, for the delay of the pool",
    evidence="promise: what helpers waited for a CPU is part of what the worker waited for them, and no more than that",
    sentence="other threads or processes compute for the body, and other programs may have kept them from the CPUs",
)
