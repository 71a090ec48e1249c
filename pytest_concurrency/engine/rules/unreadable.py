"""A round beside other programs, where run delay cannot be read."""

from __future__ import annotations

from pytest_concurrency.engine import readings
from pytest_concurrency.engine.rule import Rule
from pytest_concurrency.engine.rules.base import Discard

RULE: Rule[Discard] = Rule(
    "unreadable",
    lambda round_: not readings.readable(round_),
    failure="on a system without run delay, a neighbour made a parallel body look like a queue",
    evidence="judgement: 0.25 of every two CPUs",
    sentence="other programs wanted the CPUs, and how long workers waited for one cannot be read here",
)
