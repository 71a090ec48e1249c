"""A round in which a hypervisor or a quota took CPUs from a body that computes."""

from __future__ import annotations

from pytest_concurrency.engine import readings
from pytest_concurrency.engine.rule import Rule
from pytest_concurrency.engine.rules.base import Discard

RULE: Rule[Discard] = Rule(
    "cpu-taken",
    readings.cpu_taken,
    failure="steal is no run delay: the kernel takes the worker to be running, and computing looked slow",
    evidence="judgement: 0.2 of every two CPUs, which is two ticks of a window",
    sentence="a hypervisor or a CPU quota took the CPUs away",
)
