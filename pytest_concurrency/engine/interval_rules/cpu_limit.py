"""No figure above what the CPUs allow: all computing takes its CPU time, spread over as many CPUs as there are."""

from __future__ import annotations

from pytest_concurrency.core.model import Interval, Round
from pytest_concurrency.engine.interval_rules.base import Change, Context, cpus_at_once, together, work
from pytest_concurrency.engine.readings import TINY
from pytest_concurrency.engine.rule import Rule


def limit_to_cpus(interval: Interval, round_: Round, context: Context) -> Interval:
    sample = together(round_)
    most = work(round_, context) / max(sample.cpu / cpus_at_once(sample, context.cpus), TINY)
    return Interval(min(interval.low, most), min(interval.high, most))


RULE: Rule[Change] = Rule(
    "cpu-limit",
    limit_to_cpus,
    failure="workers that shared a CPU had their whole run delay taken off, and looked faster than the CPUs are",
    evidence="promise: CPU time is conserved",
    sentence="the computing takes the CPUs that there are",
)
