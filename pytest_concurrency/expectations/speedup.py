"""``expect_speedup``: N workers are that many times faster than one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_concurrency import bounds
from pytest_concurrency.claims import Claim, Knowledge, SpeedupClaim
from pytest_concurrency.errors import BadArgument
from pytest_concurrency.expectations import keywords
from pytest_concurrency.expectations.base import Kind, Limits, backend_for
from pytest_concurrency.model import Body, Round
from pytest_concurrency.plan import Plan, Setup
from pytest_concurrency.units import count, number, ratio, share

_BACKENDS = ("threads", "processes", "tasks")
_COMPUTES = 0.05  # share of computing below which CPUs are no limit worth naming


def _backend(arguments: Mapping[str, Any]) -> str:
    return next(backend for backend in _BACKENDS if backend in arguments)


def _check(name: str, arguments: Mapping[str, Any], is_async: bool) -> None:
    chosen = [backend for backend in _BACKENDS if backend in arguments]
    choice = ", ".join(f"{backend}=N" for backend in _BACKENDS)
    if not chosen:
        raise BadArgument(f"{name} needs to know where the workers run: one of {choice}.")
    if len(chosen) > 1:
        raise BadArgument(
            f"{name} takes one of {choice}, and has {' and '.join(chosen)}. Stack two {name} markers to measure both."
        )
    backend = chosen[0]
    backend_for(name, backend, is_async, explicit=True)
    workers = arguments[backend]
    least, most = arguments.get("at_least"), arguments.get("at_most")
    if least is None and most is None:
        raise BadArgument(f"{name}({backend}={workers}) says no threshold: add at_least= or at_most=.")
    if least is not None and least > workers and not isinstance(workers, keywords.Auto):
        raise BadArgument(
            f"{name}({backend}={workers}, at_least={number(least)}) can never be met: {count(workers, 'worker')} can "
            f"be at most {workers} times as fast as one. Lower at_least or raise {backend}."
        )
    if least is not None and most is not None and least > most:
        raise BadArgument(f"{name}: at_least={number(least)} lies above at_most={number(most)}.")


def _plan(arguments: Mapping[str, Any], body: Body, limits: Limits) -> Plan:
    backend = _backend(arguments)
    workers = arguments[backend]
    claims: list[Claim] = []
    if (least := arguments.get("at_least")) is not None:
        claims.append(SpeedupClaim(workers, least, limits.margin))
    if (most := arguments.get("at_most")) is not None:
        claims.append(SpeedupClaim(workers, most, limits.margin, at_most=True))

    def unmeasurable(rounds: Sequence[Round], known: Knowledge) -> str | None:
        if least is not None and least > workers:
            return (
                f'{backend}="auto" is {workers} here, one for each usable CPU, and at_least={number(least)} needs at '
                f"least {math.ceil(least)} CPUs"
            )
        cpu_share = bounds.median_cpu_share(rounds)
        if backend == "tasks" or known.computes_alone or cpu_share < _COMPUTES:
            return None
        ceiling = _ceiling(workers, cpu_share, known.cpus)
        wanted = max(least or 0.0, (most or 0.0) * math.sqrt(1 + limits.margin))
        if wanted <= ceiling * 1.01:
            return None
        return (
            f"{workers} {backend} of a body that computes for {share(cpu_share)} of its time can be at most "
            f"{ratio(ceiling)} as fast on {known.cpus:g} usable CPUs, so this machine cannot tell whether "
            f"{number(least if least is not None else most or 0)}x is reached. It needs "
            f"{_cpus_for(wanted, workers, cpu_share)} CPUs"
        )

    return Plan(
        setup=Setup(backend, workers),
        claims=tuple(claims),
        one_interpreter=backend != "processes",
        unmeasurable=unmeasurable,
    )


def _ceiling(workers: int, cpu_share: float, cpus: float) -> float:
    """Best possible speedup: the longer of one body's time and all computing spread over the CPUs."""
    return workers / max(1.0, workers * cpu_share / cpus)


def _cpus_for(speedup: float, workers: int, cpu_share: float) -> int:
    return max(1, math.ceil(min(speedup, workers) * cpu_share - 0.01))


KIND = Kind(
    name="expect_speedup",
    keywords={
        "at_least": keywords.positive,
        "at_most": keywords.positive,
        **{backend: keywords.workers(backend) for backend in _BACKENDS},
    },
    check=_check,
    plan=_plan,
)
