"""``expect_speedup``: N workers are that many times faster than one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_concurrency.errors import BadArgument
from pytest_concurrency.expectations import keywords
from pytest_concurrency.expectations.base import Kind, Limits, backend_for, speedup_plan
from pytest_concurrency.model import Body
from pytest_concurrency.plan import Plan
from pytest_concurrency.units import count, number

_BACKENDS = ("threads", "processes", "tasks")


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
    backend = next(backend for backend in _BACKENDS if backend in arguments)
    return speedup_plan(backend, arguments[backend], arguments.get("at_least"), arguments.get("at_most"), limits)


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
