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
    # Helpers may have computed while the worker waited for a CPU; then its other waits were for something else.
    low = reading.cpu / max(reading.cpu + reading.blocked + (reading.delay or 0.0), readings.TINY)
    waited = max(0.0, reading.blocked - round_.serial.helpers_delay)
    high = reading.cpu / max(reading.cpu + waited, readings.TINY)
    return Interval(min(interval.low, low), max(interval.high, high))


RULE: Rule[Change] = Rule(
    "hidden-computing",
    widen_for_hidden_computing,
    failure="a body whose pool computed beside a busy program was called waiting, for the delay of the pool",
    evidence="judgement: a wait for a helper is longer by its run delay at most, unless it polls with long pauses",
    sentence="other threads or processes compute for the body, and other programs may have kept them from the CPUs",
)
