"""A share of waiting beside other programs: a wait for an answer may have been read as a wait for a CPU."""

from __future__ import annotations

from pytest_concurrency.core.model import Interval, Round
from pytest_concurrency.engine import readings
from pytest_concurrency.engine.interval_rules.base import Change, Context
from pytest_concurrency.engine.rule import Rule


def widen_for_answered_waits(interval: Interval, round_: Round, context: Context) -> Interval:
    return Interval(min(interval.low, readings.least_cpu_share(round_)), interval.high)


RULE: Rule[Change] = Rule(
    "answered-waits",
    widen_for_answered_waits,
    failure="a server on the same CPU answered before its client had begun to wait, and a request was called computing",
    evidence="judgement: what hardly ever gives up its CPU waits for no one",
    sentence="waits for another process and for a CPU could not be distinguished",
)
