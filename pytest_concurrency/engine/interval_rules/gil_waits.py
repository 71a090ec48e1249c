"""A share of waiting beside threads that do not work for the body: some of it may be a wait for the GIL."""

from __future__ import annotations

from pytest_concurrency.core.model import Interval, Round
from pytest_concurrency.engine import readings
from pytest_concurrency.engine.interval_rules.base import Change, Context
from pytest_concurrency.engine.rule import Rule


def widen_for_gil_waits(interval: Interval, round_: Round, context: Context) -> Interval:
    """Allow for a wait of the worker that lasted as long as these threads may have held the GIL."""
    reading = round_.serial.readings[0]
    waited = max(0.0, reading.blocked - round_.serial.gil_taken)
    most = reading.cpu + readings.taken_seconds(round_)
    return Interval(interval.low, max(interval.high, min(1.0, most / max(reading.cpu + waited, readings.TINY))))


RULE: Rule[Change] = Rule(
    "gil-waits",
    widen_for_gil_waits,
    failure="beside a busy Python thread of a fixture, a body that only computes read as waiting for half of its time",
    evidence="judgement: a thread can hold the GIL for as long as it is running or ready to run, and no longer",
    sentence="other threads of the test session computed, and the body may have waited for them to release the GIL",
)
