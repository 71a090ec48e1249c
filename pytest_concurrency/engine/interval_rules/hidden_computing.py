"""A share of waiting where helpers compute beside other programs: some of it may be computing that was delayed."""

from __future__ import annotations

from pytest_concurrency.core.model import Interval, Round
from pytest_concurrency.engine import readings
from pytest_concurrency.engine.interval_rules.base import Change, Context
from pytest_concurrency.engine.rule import Rule


def widen_for_hidden_computing(interval: Interval, round_: Round, context: Context) -> Interval:
    return Interval(interval.low, 1.0) if readings.helpers_late(round_) else interval


RULE: Rule[Change] = Rule(
    "hidden-computing",
    widen_for_hidden_computing,
    failure="a body whose pool computed beside a busy program was called waiting, for the delay of the pool",
    evidence="judgement: the delay of threads that have ended is not known",
    sentence="other threads or processes compute for the body, and how long these waited for a CPU is not known",
)
