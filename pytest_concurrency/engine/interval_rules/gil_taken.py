"""Threads that do not work for the body computed beside it, and may have held the GIL that it needed."""

from __future__ import annotations

from pytest_concurrency.core.model import Interval, Round
from pytest_concurrency.engine import readings
from pytest_concurrency.engine.interval_rules.base import (
    Change,
    Context,
    alone,
    cpus_at_once,
    least_time,
    together,
    work,
)
from pytest_concurrency.engine.rule import Rule


def widen_for_the_gil_taken(interval: Interval, round_: Round, context: Context) -> Interval:
    """Take what workers may have waited for them off the serial time for the lower bound, off the other for the upper.

    A single worker waits for such a thread half of the time, and four workers wait less, so it may look either way.
    """
    sample, serial = together(round_), alone(round_)
    taken = round_.serial.gil_taken * sample.loops / round_.serial.loops
    if not taken and not sample.gil_taken:
        return interval
    quiet = readings.quiet_time(serial)
    low = interval.low * max(serial.cpu, quiet - min(taken, serial.blocked), readings.TINY) / quiet
    fastest = max(readings.optimistic_time(reading, sample, serial) for reading in sample.readings)
    computing = least_time(sample.cpu, cpus_at_once(sample, context.cpus), context.in_turn.low)
    least = max(fastest - sample.gil_taken, computing, readings.TINY)
    return Interval(low, max(interval.high, min(float(context.workers), work(round_, context) / least)))


RULE: Rule[Change] = Rule(
    "gil-taken",
    widen_for_the_gil_taken,
    failure="beside a busy Python thread of a fixture, pure Python code read as 1.6x as fast in four threads",
    evidence="judgement: a thread can hold the GIL for as long as it is running or ready to run, and no longer",
    sentence="other threads of the test session computed, and the body may have waited for them to release the GIL",
)
