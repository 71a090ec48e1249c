"""Threads and processes that the body starts compute for it beside other programs, and may have had no CPU."""

from __future__ import annotations

import math

from pytest_concurrency.core.model import Interval, Round, Sample
from pytest_concurrency.engine import readings
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


def widen_for_late_helpers(interval: Interval, round_: Round, context: Context) -> Interval:
    """Allow for all of the helpers' run delay: in the serial batch for the lower bound, in the other for the upper."""
    if not readings.helpers_late(round_):
        return interval
    once = work(round_, context)
    low = interval.low * min(1.0, context.workers * _least_alone(round_, context) / once)
    # Where a worker waited for a CPU, its helpers may have had one, and it had to wait for them anyway.
    most = once + context.workers * (alone(round_).delay or 0.0)
    high = min(float(context.workers), most / _least_together(round_, context))
    return Interval(low, max(interval.high, high))


def _least_alone(round_: Round, context: Context) -> float:
    """What a single worker needs at least: its helpers may have waited for a CPU while it waited for them."""
    reading, delay = alone(round_), round_.serial.helpers_delay
    if not reading.with_helpers:
        return readings.quiet_time(reading)
    part = together(round_).loops / round_.serial.loops
    return max(readings.quiet_time(reading) - delay * part, _computing(round_.serial, delay, context) * part)


def _least_together(round_: Round, context: Context) -> float:
    """What several workers need at least: all that their helpers waited for a CPU may have been one after the other."""
    sample = together(round_)
    if math.isinf(sample.helpers_delay):
        return readings.TINY
    return max(fastest(round_) - sample.helpers_delay, _computing(sample, sample.helpers_delay, context))


def _computing(sample: Sample, delay: float, context: Context) -> float:
    """What the computing takes at least, without what helpers spun for on the other CPUs while one of them had none."""
    spun = 0.0 if math.isinf(delay) else delay * max(0.0, context.cpus - 1)
    return least_computing(sample, context, spun)


RULE: Rule[Change] = Rule(
    "late-helpers",
    widen_for_late_helpers,
    failure="a pool of the body's own that had no CPU in the serial batch voted for a speedup in 7 of 7 rounds",
    evidence="judgement: a wait for a helper is longer by its run delay at most, unless it polls with long pauses",
    sentence="other threads or processes compute for the body, and other programs may have kept them from the CPUs",
)
