"""Figures of a test body in some backends, without a threshold and a verdict: ``concurrency.measure``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pytest_concurrency.core.leftovers import Leftover
from pytest_concurrency.core.outcomes import Arm, Bound, Estimate, Unordered
from pytest_concurrency.core.units import count
from pytest_concurrency.engine.bound_type import classify
from pytest_concurrency.engine.claims import SpeedupClaim
from pytest_concurrency.engine.plan import Plan, WorkerSetup
from pytest_concurrency.engine.settlement import Settlement
from pytest_concurrency.expectations.base import Tolerances
from pytest_concurrency.measurement.trial import Trial
from pytest_concurrency.verdicts.not_met import figure
from pytest_concurrency.verdicts.outcome import arms_of

_ROUNDS = 10  # per backend, if there is time


@dataclass(frozen=True, slots=True)
class Figures(Unordered):
    """All figures of a measurement without a verdict, as ``concurrency.measure`` returns them.

    ``bound`` is the bound type, with its evidence. ``speedup`` has an estimate for each requested backend, by its name
    (``"threads"``): how many times as fast all workers were as one. ``arms`` has the total times of the rounds, in
    seconds: for each backend those of one worker, and those of all. ``rounds`` is the number of rounds, and
    ``leftovers`` is what the calls have left running.
    """

    bound: Bound
    speedup: Mapping[str, Estimate]
    arms: tuple[Arm, ...]
    rounds: int
    leftovers: tuple[Leftover, ...] = ()

    def __repr__(self) -> str:
        speedups = ", ".join(f"{name} {figure(value)}" for name, value in self.speedup.items())
        return f"<measured: {speedups or 'serial only'}; bound: {self.bound.kind}; {count(self.rounds, 'round')}>"

    _NO_ORDER: ClassVar[str] = (
        "a measurement has no verdict and no order: look at its .speedup, .bound and .arms.\n"
        "To assert a speedup, write assert concurrency.speedup(...) >= 2"
    )


def look(trial: Trial, setup: WorkerSetup, limits: Tolerances, rounds: int = _ROUNDS) -> Settlement:
    """Measure some rounds of one setup. The only result is its speedup; ignore the verdict on it.

    :raises CannotMeasure: this machine or interpreter has no such workers.
    """
    plan = Plan(
        setup=setup,
        claims=(SpeedupClaim(setup.group_size, 1.0, limits.margin),),
        answered=lambda said: False,
        most_rounds=rounds,
    )
    return trial.settle(plan, limits)


def measure_figures(trial: Trial, setups: Sequence[WorkerSetup], limits: Tolerances) -> Figures:
    """Measure some setups one after the other."""
    speedups: dict[str, Estimate] = {}
    arms: tuple[Arm, ...] = ()
    bound: Bound | None = None
    total = 0
    for setup in setups:
        settlement = look(trial, setup, limits)
        total += len(settlement.rounds)
        arms += arms_of(settlement.rounds, setup)
        found = settlement.results[0].estimate
        if setup.workers and found is not None:
            speedups[setup.backend] = found
        # Prefer workers that share a process and a GIL: they can contend for resources that others do not share.
        if bound is None or settlement.known.one_interpreter:
            bound = classify(settlement.rounds, setup, settlement.known)
    assert bound is not None, "a survey without a setup"
    return Figures(bound, speedups, arms, total, trial.left_behind())
