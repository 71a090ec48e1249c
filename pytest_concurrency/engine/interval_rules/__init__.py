"""The rules that change the interval of one round, by kind.

Each kind has a law, which tests/unit/engine/rules/test_laws.py checks for every member:

* a *limit* is a physical impossibility: it raises neither bound;
* a *widen* allows for more: the result contains the interval, so it may silence a vote and never turn one.

Intervals of a speedup and of a share of computing have rules of their own. Those of two callables are one formula, in
:mod:`pytest_concurrency.engine.callable_intervals`, since little is known of what a user's own threads did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_concurrency.core.model import Interval, Round
from pytest_concurrency.engine.interval_rules import (
    answered_waits,
    cpu_limit,
    gil_limit,
    gil_taken,
    gil_waits,
    hidden_computing,
    late_helpers,
    shared_cpus,
    slow_cpus,
    stolen_time,
)
from pytest_concurrency.engine.interval_rules.base import Change, Context
from pytest_concurrency.engine.rule import Rule
from pytest_concurrency.engine.voting import side

LIMITS: tuple[Rule[Change], ...] = (cpu_limit.RULE, shared_cpus.RULE, gil_limit.RULE)
RATIO_WIDENS: tuple[Rule[Change], ...] = (late_helpers.RULE, gil_taken.RULE, slow_cpus.RULE)
SHARE_WIDENS: tuple[Rule[Change], ...] = (stolen_time.RULE, answered_waits.RULE, hidden_computing.RULE, gil_waits.RULE)


Step = tuple[str, Interval]  # the name of a rule, and what it left


@dataclass(frozen=True, slots=True)
class Changed:
    """An interval after all rules, and what each of them that changed it left of it."""

    interval: Interval
    steps: tuple[Step, ...]


def changed(interval: Interval, round_: Round, context: Context, rules: Sequence[Rule[Change]]) -> Changed:
    """Apply rules one after the other."""
    steps = []
    for rule in rules:
        after = rule.apply(interval, round_, context)
        if after != interval:
            steps.append((rule.name, after))
        interval = after
    return Changed(interval, tuple(steps))


def silencing(before: Interval, steps: Sequence[Step], cut: float) -> tuple[str, int]:
    """Return the rule for which a round is on no side of the cut any more, by name, and that side; empty if none."""
    for name, after in steps:
        if side(before, cut) and not side(after, cut):
            return name, side(before, cut)
        before = after
    return "", 0
