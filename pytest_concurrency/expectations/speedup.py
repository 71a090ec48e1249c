"""``expect_speedup``: N workers are at least, or at most, that many times as fast as one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.core.model import Body
from pytest_concurrency.core.units import count, duration, number
from pytest_concurrency.engine.plan import Plan
from pytest_concurrency.expectations import keywords, placement
from pytest_concurrency.expectations.base import Kind, Tolerances, speedup_plan

_LEAST_ROUNDS = 2  # that are measured in any case

__tracebackhide__ = True  # pytest shows a failure at the line of the test


def _check(name: str, arguments: Mapping[str, Any], is_async: bool) -> None:
    place = placement.the_one(name, arguments, is_async)
    if place is None:
        raise placement.needed(name)
    least, most = arguments.get("at_least"), arguments.get("at_most")
    if least is None and most is None:
        raise BadArgument(f"{name}({place.spelled}) has no threshold: add at_least= or at_most=.")
    if least is not None and least > place.size and not isinstance(place.size, keywords.Auto):
        raise BadArgument(
            f"{name}({place.spelled}, at_least={number(least)}) can never be met: {count(place.size, 'worker')} can "
            f"be at most {place.size}x as fast as one. Lower at_least or raise "
            f"{'workers' if place.executor else place.backend}."
        )
    if least is not None and most is not None and least > most:
        raise BadArgument(f"{name}: at_least={number(least)} lies above at_most={number(most)}.")


def _plan(arguments: Mapping[str, Any], body: Body, limits: Tolerances) -> Plan:
    place = placement.the_one(KIND.name, arguments, body.is_async)
    assert place is not None
    sustained = arguments.get("sustained", 0.0)
    if (least := _LEAST_ROUNDS * 2 * sustained) > limits.max_time:
        raise BadArgument(
            f"{KIND.name}(sustained={duration(sustained)}): {_LEAST_ROUNDS} rounds of both sides take "
            f"{duration(least)}, and max_time={duration(limits.max_time)} is less. Raise max_time, or lower sustained."
        )
    setup = replace(place.setup(place.size), sustained=sustained)
    return speedup_plan(setup, arguments.get("at_least"), arguments.get("at_most"), limits)


KIND = Kind(
    name="expect_speedup",
    keywords={
        "at_least": keywords.positive,
        "at_most": keywords.positive,
        "sustained": keywords.time,
        **placement.parsers(),
    },
    check=_check,
    plan=_plan,
)
