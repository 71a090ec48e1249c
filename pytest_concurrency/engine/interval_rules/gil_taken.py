"""Threads that do not work for the body computed beside it, and may have held the GIL that it needed."""

from __future__ import annotations

from pytest_concurrency.core.model import Interval, Round, Sample
from pytest_concurrency.engine import constants, readings
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
    # Waits for the GIL make a batch longer, so that a body which computes may seem to do so in one of the two only.
    if max(_computing(round_.serial), _computing(sample)) <= constants.NEEDS_GIL:
        return interval
    taken = round_.serial.gil_taken * sample.loops / round_.serial.loops
    if not taken and not sample.gil_taken:
        return interval
    quiet = readings.quiet_time(serial)
    low = min(1.0, max(serial.cpu, quiet - min(taken, serial.blocked), readings.TINY) / quiet) * interval.low
    fastest = max(readings.optimistic_time(reading, sample, serial) for reading in sample.readings)
    computing = least_time(sample.cpu, cpus_at_once(sample, context.cpus), context.in_turn.low)
    least = max(fastest - sample.gil_taken, computing, readings.TINY)
    return Interval(low, max(interval.high, min(float(context.workers), work(round_, context) / least)))


def _computing(sample: Sample) -> float:
    return sample.cpu / max(sample.wall, readings.TINY)


RULE: Rule[Change] = Rule(
    "gil-taken",
    widen_for_the_gil_taken,
    failure="beside a busy Python thread of a fixture, pure Python code read as 1.6x as fast in four threads",
    evidence="judgement: a thread can hold the GIL for as long as it is running or ready to run, and no longer",
    sentence="other threads of the test session computed, and the body may have waited for them to release the GIL",
)
