"""Scaling of a pool that the measured function makes itself: comparisons of each pool size with the first one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from pytest_concurrency.core.outcomes import Outcome
from pytest_concurrency.engine.plan import Plan
from pytest_concurrency.measurement.base_bench import BaseBench
from pytest_concurrency.measurement.trial import Request, SessionContext, Trial
from pytest_concurrency.verdicts import pool_scaling

__tracebackhide__ = True  # pytest shows a failure at the line of the test


def decide(
    asked: Request,
    sizes: Sequence[int],
    bench_of: Callable[[int], BaseBench],
    plan_of: Callable[[int], Plan],
    context: SessionContext,
) -> Outcome:
    """Compare each size with the first, one after the other, and return one outcome for all.

    :param asked: the request, with the plan of the largest size.
    :param bench_of: returns the bench that compares a size with the first one.
    """
    first, *others = sizes

    def measured() -> Outcome:
        outcomes = []
        for size in others:
            with Trial(bench_of(size), replace(context, gate=None)) as trial:
                outcome, settlement = trial.decide(replace(asked, plan=plan_of(size)))
            rounds = settlement.rounds if settlement is not None else ()
            outcomes.append(pool_scaling.outcome_of(outcome, rounds, size, first))
        return pool_scaling.combined(outcomes)

    outcome = measured()
    return outcome if context.gate is None else context.gate(outcome, measured)
