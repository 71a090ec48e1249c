"""``concurrency.compare``: the candidate is at least that many times as fast as the baseline."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_concurrency.core import stats
from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.core.model import Body, GilProbe, Interval, Round
from pytest_concurrency.core.units import number, ratio
from pytest_concurrency.engine import callable_intervals, readings
from pytest_concurrency.engine.claims import Claim, Knowledge, SpeedupClaim, half, margin_cut, shortest_batch
from pytest_concurrency.engine.plan import Plan, WorkerSetup
from pytest_concurrency.engine.voting import Vote, cast
from pytest_concurrency.expectations import keywords
from pytest_concurrency.expectations.base import Kind, Tolerances
from pytest_concurrency.machine.cpus import usable_cpus

__tracebackhide__ = True  # pytest shows a failure at the line of the test
_ONE_CPU = 1.15  # a function that uses no more CPUs computes in one thread at a time


@dataclass(frozen=True, slots=True)
class ComparisonClaim(SpeedupClaim):
    """The second callable is that many times as fast as the first."""

    def vote(self, round_: Round, gil: GilProbe | None, known: Knowledge) -> Vote:
        work = round_.serial.wall / round_.serial.loops
        found, figure = callable_intervals.speedup(round_, known.cpus), callable_intervals.figure(round_)
        if found is not None and math.isinf(found.high):
            if found.low <= margin_cut(self.margin):
                return Vote(0)
            found = Interval(found.low, max(found.low, figure or 0.0))
        vote = cast(found, margin_cut(self.margin), shortest_batch(round_), work, half(self.margin), apart=True)
        return vote if found is None else replace(vote, figure=figure)


def _check(name: str, arguments: Mapping[str, Any], is_async: bool) -> None:
    if "setup" in arguments:
        raise BadArgument(f"{name} has no setup=: each function prepares what it needs itself.")


def _plan(arguments: Mapping[str, Any], body: Body, limits: Tolerances) -> Plan:
    least, most = arguments.get("at_least"), arguments.get("at_most")
    claims: list[Claim] = []
    if least is not None:
        claims.append(ComparisonClaim(1, least, limits.margin))
    if most is not None:
        claims.append(ComparisonClaim(1, most, limits.margin, at_most=True))
    return Plan(
        setup=WorkerSetup("compare", max(1, int(usable_cpus()))),
        claims=tuple(claims),
        unmeasurable=functools.partial(too_few_cpus, least or 0.0),
    )


def too_few_cpus(
    at_least: float,
    rounds: Sequence[Round],
    known: Knowledge,
    names: tuple[str, str] = ("the first", "the second function"),
) -> str | None:
    """Return why this machine cannot show it: the second function's computing takes too long on its CPUs."""
    # While other programs run, threads that spin while they wait for each other use CPU time for nothing.
    rounds = [round_ for round_ in rounds if not readings.beside_others(round_)]
    busy = [callable_intervals.cpus_used(round_.concurrent) for round_ in rounds if round_.concurrent is not None]
    if len(busy) < 2:
        return None
    if known.cpus >= 2 and stats.median(busy) <= _ONE_CPU:
        return None  # It left CPUs idle, so more of them would not make it faster.
    ceilings = [
        readings.body_time(round_) * known.cpus * round_.concurrent.loops / max(round_.concurrent.cpu, 1e-9)
        for round_ in rounds
        if round_.concurrent is not None
    ]
    ceiling = stats.median(ceilings)
    if at_least <= ceiling * 1.01 or known.cpus >= at_least:
        return None
    return (
        f"{names[1]} computes so much that it can be at most {ratio(ceiling)} as fast as {names[0]} on "
        f"{number(known.cpus)} usable CPUs, so this machine cannot tell whether {number(at_least)}x is reached"
    )


KIND = Kind(
    name="compare",
    keywords={"at_least": keywords.positive, "at_most": keywords.positive},
    check=_check,
    plan=_plan,
)
