"""Threads that do not work for the body computed beside it, and may have held the GIL that it needed."""

from __future__ import annotations

from pytest_concurrency.core.model import Interval, Round
from pytest_concurrency.engine import constants, readings
from pytest_concurrency.engine.interval_rules.base import (
    Change,
    Context,
    alone,
    fastest,
    least_computing,
    together,
    work,
)
from pytest_concurrency.engine.rule import Rule


def widen_for_the_gil_taken(interval: Interval, round_: Round, context: Context) -> Interval:
    """Take what workers may have waited for them off the serial time for the lower bound, off the other for the upper.

    A single worker waits for such a thread half of the time, and four workers wait less, so it may look either way.
    """
    sample, serial = together(round_), alone(round_)
    # Waits for the GIL make a batch longer, so that a body which computes may seem to do so in one of the two only.
    if max(readings.overlap(round_.serial), readings.overlap(sample)) <= constants.NEEDS_GIL:
        return interval
    taken = round_.serial.gil_taken * sample.loops / round_.serial.loops
    if not taken and not sample.gil_taken:
        return interval
    quiet = readings.quiet_time(serial)
    low = min(1.0, max(serial.cpu, quiet - taken, readings.TINY) / quiet) * interval.low
    least = max(fastest(round_) - sample.gil_taken, least_computing(sample, context))
    return Interval(low, max(interval.high, min(float(context.workers), work(round_, context) / least)))


RULE: Rule[Change] = Rule(
    "gil-taken",
    widen_for_the_gil_taken,
    failure="beside a busy Python thread of a fixture, pure Python code read as 1.6x as fast in four threads",
    evidence="judgement: a thread can hold the GIL for as long as it is running or ready to run, and no longer",
    sentence="other threads of the test session computed, and the body may have waited for them to release the GIL",
)
