"""``expect_scaling``: speedup stays in proportion to the workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_concurrency.errors import BadArgument
from pytest_concurrency.expectations import keywords
from pytest_concurrency.expectations.base import Kind, Limits, backend_for, speedup_plan
from pytest_concurrency.model import Body
from pytest_concurrency.plan import Plan
from pytest_concurrency.units import number

_BACKENDS = ("threads", "processes", "tasks")
_COUNTS = (1, 2, 4)


def counts(backend: str) -> keywords.Parser:
    """Accept a sequence of worker counts."""
    one = keywords.workers(backend)

    def parse(value: object) -> tuple[int, ...]:
        if not isinstance(value, (tuple, list)) or not value:
            raise ValueError("must be a sequence of worker counts, such as (1, 2, 4)")
        return tuple(sorted({one(count) for count in value}))

    return parse


def _chosen(arguments: Mapping[str, Any], is_async: bool) -> tuple[str, tuple[int, ...]]:
    backend = next((backend for backend in _BACKENDS if backend in arguments), "tasks" if is_async else "threads")
    return backend, arguments.get(backend, _COUNTS)


def _check(name: str, arguments: Mapping[str, Any], is_async: bool) -> None:
    chosen = [backend for backend in _BACKENDS if backend in arguments]
    if len(chosen) > 1:
        raise BadArgument(f"{name} takes one of {', '.join(_BACKENDS)}, and has {' and '.join(chosen)}.")
    backend, sizes = _chosen(arguments, is_async)
    backend_for(name, backend, is_async, explicit=True)
    if max(sizes) < 2:
        raise BadArgument(f"{name}({backend}={sizes}) has no count above 1, so nothing can scale. Write (1, 2, 4).")
    efficiency = arguments.get("efficiency", 0.7)
    if efficiency * min(size for size in sizes if size > 1) <= 1:
        raise BadArgument(
            f"{name}(efficiency={number(efficiency)}) at {min(size for size in sizes if size > 1)} workers asks for no "
            "more than one worker gives. Raise efficiency, or leave out the smallest counts."
        )


def _plan(arguments: Mapping[str, Any], body: Body, limits: Limits) -> Plan:
    backend, sizes = _chosen(arguments, body.is_async)
    efficiency = arguments.get("efficiency", 0.7)
    # One worker has a speedup of 1 by definition.
    plans = [speedup_plan(backend, size, efficiency * size, None, limits) for size in sizes if size > 1]
    return replace(plans[-1], steps=tuple(plans[:-1]))


KIND = Kind(
    name="expect_scaling",
    keywords={"efficiency": keywords.part, **{backend: counts(backend) for backend in _BACKENDS}},
    check=_check,
    plan=_plan,
)
