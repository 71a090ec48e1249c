"""The base of every expectation: parsed keywords, and the plan for its verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_concurrency.core.model import Body, Round
from pytest_concurrency.core.units import number, share, spelled
from pytest_concurrency.engine import readings
from pytest_concurrency.engine.claims import Claim, Knowledge, SpeedupClaim
from pytest_concurrency.engine.plan import Plan, WorkerSetup
from pytest_concurrency.expectations.keywords import Parser
from pytest_concurrency.verdicts import advice


@dataclass(frozen=True, slots=True)
class Tolerances:
    """The common keywords, from the marker, the command line, the ini file or the default.

    ``margin`` is a fraction of the threshold, ``max_time`` is in seconds, for one verdict.
    """

    margin: float = 0.25
    max_time: float = 10.0
    undecided: str = "skip"
    leftovers: str = "tell"

    def overridden(self, arguments: Mapping[str, Any]) -> Tolerances:
        """Return these, with the values that a marker or a call of the fixture gives."""
        return Tolerances(
            margin=arguments.get("margin", self.margin),
            max_time=arguments.get("max_time", self.max_time),
            undecided=arguments.get("undecided", self.undecided),
            leftovers=arguments.get("leftovers", self.leftovers),
        )


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of marker: its name, its keywords, and the function that makes its plan."""

    name: str
    keywords: Mapping[str, Parser]
    # Checks keywords that depend on each other; raises BadArgument.
    check: Callable[[str, Mapping[str, Any], bool], None]
    plan: Callable[[Mapping[str, Any], Body, Tolerances], Plan]


@dataclass(frozen=True, slots=True)
class Expectation:
    """One marker on one test."""

    kind: Kind
    arguments: Mapping[str, Any]
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The marker as its author wrote it: ``expect_speedup(threads=4, at_least=3)``."""
        inside = ", ".join(f"{name}={spelled(value)}" for name, value in self.given.items())
        return f"{self.kind.name}({inside})" if inside else self.kind.name

    def limits(self, defaults: Tolerances) -> Tolerances:
        return defaults.overridden(self.arguments)

    def plan(self, body: Body, limits: Tolerances) -> Plan:
        return self.kind.plan(self.arguments, body, limits)


_COMPUTES = 0.05  # with a smaller share of computing, the number of CPUs does not matter


def speedup_plan(setup: WorkerSetup, least: float | None, most: float | None, limits: Tolerances) -> Plan:
    """Return the plan for a speedup, with the check whether the machine has enough CPUs to show it."""
    backend, workers = setup.backend, setup.group_size
    claims: list[Claim] = []
    if least is not None:
        claims.append(SpeedupClaim(workers, least, limits.margin))
    if most is not None:
        claims.append(SpeedupClaim(workers, most, limits.margin, at_most=True))

    def unmeasurable(rounds: Sequence[Round], known: Knowledge) -> str | None:
        if least is not None and least > workers:
            return (
                f'{backend}="auto" is {workers} here, one for each usable CPU, and at_least={number(least)} needs at '
                f"least {math.ceil(least)} CPUs"
            )
        cpu_share = readings.median_cpu_share(rounds)
        if setup.one_thread or cpu_share < _COMPUTES:
            return None
        ceiling = advice.ceiling(workers, cpu_share, known.cpus)
        # Only a machine that could exceed at_most can show that the code does not.
        wanted = max(least or 0.0, min((most or 0.0) * math.sqrt(1 + limits.margin), workers))
        # Code that holds the GIL would not be faster with more CPUs.
        if wanted <= ceiling * 1.01 or known.in_turn.low * cpu_share * wanted > 1:
            return None
        return (
            f"{setup.who()} of a body that computes for {share(cpu_share)} of its time can be at most "
            f"{number(round(ceiling, 1))}x as fast on {known.cpus:g} usable CPUs, so this machine cannot tell whether "
            f"{number(least if least is not None else most or 0)}x is reached. It needs "
            f"{_cpus_for(wanted, workers, cpu_share)} CPUs"
        )

    return Plan(setup=setup, claims=tuple(claims), unmeasurable=unmeasurable)


def _cpus_for(speedup: float, workers: int, cpu_share: float) -> int:
    return max(1, math.ceil(min(speedup, workers) * cpu_share - 0.01))
