"""``expect_nonblocking``: an async body leaves its event loop free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.core.model import Body
from pytest_concurrency.core.units import SHORTEST_BLOCK, UNSEEN_BLOCK, duration
from pytest_concurrency.engine.claims import LongestClaim
from pytest_concurrency.engine.plan import Plan, WorkerSetup
from pytest_concurrency.expectations import keywords
from pytest_concurrency.expectations.base import Kind, Tolerances

__tracebackhide__ = True  # pytest shows a failure at the line of the test


def _check(name: str, arguments: Mapping[str, Any], is_async: bool) -> None:
    if not is_async:
        raise BadArgument(
            f"{name} is for an async def body, and this test is a plain function, which has no event loop. "
            "Write async def, or use expect_gil_released."
        )
    if arguments.get("max_block", 1.0) < SHORTEST_BLOCK:
        raise BadArgument(f"{name}(max_block={duration(arguments['max_block'])}): {UNSEEN_BLOCK}.")


def _plan(arguments: Mapping[str, Any], body: Body, limits: Tolerances) -> Plan:
    claim = LongestClaim("block", arguments.get("max_block", 0.05), limits.margin)
    return Plan(setup=WorkerSetup("tasks", method="block"), claims=(claim,))


KIND = Kind(
    name="expect_nonblocking",
    keywords={"max_block": keywords.short_time},
    check=_check,
    plan=_plan,
)
