"""A share of computing beside a hypervisor or a quota: time that they took was spent without a CPU, unseen."""

from __future__ import annotations

from pytest_concurrency.core.model import Interval, Round
from pytest_concurrency.engine import readings
from pytest_concurrency.engine.interval_rules.base import Change, Context
from pytest_concurrency.engine.rule import Rule


def widen_for_stolen_time(interval: Interval, round_: Round, context: Context) -> Interval:
    return Interval(interval.low, max(interval.high, readings.most_cpu_share(round_)))


RULE: Rule[Change] = Rule(
    "stolen-time",
    widen_for_stolen_time,
    failure="computing under a CPU quota had half of its time taken off it, and was called waiting",
    evidence="judgement: half a tick of a window",
    sentence="a hypervisor or a CPU quota took the CPU away",
)
