"""Calls that vary: a round's vote is worth no more than its likelihood ratio, and groups of rounds vote together."""

from __future__ import annotations

from pytest_concurrency.engine import spread
from pytest_concurrency.engine.rule import Rule
from pytest_concurrency.engine.rules.base import Weigh

RULE: Rule[Weigh] = Rule(
    "varying-calls",
    spread.weighed,
    failure="three rounds of random latencies were alike by chance, and decided as if each stood for the body",
    evidence="promise: 1e-4 a verdict; benchmarks/latencies.py",
    sentence="the body itself takes longer or shorter from call to call",
)
