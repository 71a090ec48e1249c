"""CPUs that are slower together than alone: what a reference workload beside the rounds found them to be."""

from __future__ import annotations

from pytest_concurrency.core.model import Interval, Round
from pytest_concurrency.engine import readings
from pytest_concurrency.engine.interval_rules.base import Change, Context
from pytest_concurrency.engine.rule import Rule


def widen_for_slow_cpus(interval: Interval, round_: Round, context: Context) -> Interval:
    """Raise the upper bound by what slow CPUs explain, and take off what only faster CPUs gave.

    Slow by the CPU time that computing took is what the reference workload is as well: the upper bound rises by as
    much. A figure that is good only because computing took less CPU time concurrently than alone is not, unless the
    two are different things.
    """
    if context.slower is None:
        return interval
    growth = readings.cpu_growth(round_)
    low = interval.low if context.apart else interval.low * min(1.0, growth)
    return Interval(low, interval.high * min(context.slower, max(1.0, growth)))


RULE: Rule[Change] = Rule(
    "slow-cpus",
    widen_for_slow_cpus,
    failure="two virtual CPUs became hardware threads of one core for some minutes, and computing looked serialized",
    evidence="benchmarks/shared_core.py (two threads of one core give 1.2x of one)",
    sentence="a reference workload that is known to run in parallel did not",
)
