"""``expect_scaling``: the speedup stays in proportion to the number of workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.core.model import Body
from pytest_concurrency.core.units import number
from pytest_concurrency.engine.plan import Plan
from pytest_concurrency.expectations import EFFICIENCY, keywords, placement
from pytest_concurrency.expectations.base import Kind, Tolerances, speedup_plan

__tracebackhide__ = True  # pytest shows a failure at the line of the test
_COUNTS = (1, 2, 4)


def counts(backend: str) -> keywords.Parser:
    """Accept a sequence of worker counts."""
    one = keywords.workers(backend, least=2)

    def parse(value: object) -> tuple[int, ...]:
        if not isinstance(value, (tuple, list, range)) or not value:
            raise ValueError("must be a tuple of worker counts, such as (1, 2, 4)")
        return tuple(sorted({one(count) for count in value}))

    return parse


def _chosen(name: str, arguments: Mapping[str, Any], is_async: bool) -> placement.Placement:
    place = placement.the_one(name, arguments, is_async)
    return place or placement.Placement("tasks" if is_async else "threads", _COUNTS)


def _check(name: str, arguments: Mapping[str, Any], is_async: bool) -> None:
    place = _chosen(name, arguments, is_async)
    if isinstance(place.size, int):
        raise BadArgument(f"{name} with an executor needs several counts: add workers=(1, 2, 4).")
    if max(place.size) < 2:
        raise BadArgument(
            f"{name}({place.backend}={place.size}) has no count above 1: nothing can scale. Write (1, 2, 4)."
        )
    efficiency = arguments.get("efficiency", EFFICIENCY)
    smallest = min(size for size in place.size if size > 1)
    if efficiency * smallest <= 1 and not isinstance(smallest, keywords.Auto):
        raise BadArgument(
            f"{name}(efficiency={number(efficiency)}) at {smallest} workers asks "
            "for no more than one worker gives. Raise efficiency, or leave out the smallest counts."
        )


def _plan(arguments: Mapping[str, Any], body: Body, limits: Tolerances) -> Plan:
    place = _chosen(KIND.name, arguments, body.is_async)
    efficiency = arguments.get("efficiency", EFFICIENCY)
    # One worker has a speedup of 1 by definition.
    plans = [speedup_plan(place.setup(size), efficiency * size, None, limits) for size in place.size if size > 1]
    return replace(plans[-1], steps=tuple(plans[:-1]))


KIND = Kind(
    name="expect_scaling",
    keywords={"efficiency": keywords.part, **placement.parsers(counts)},
    check=_check,
    plan=_plan,
)
