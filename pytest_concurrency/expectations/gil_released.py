"""``expect_gil_released``: no single hold of the GIL lasts long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.core.model import Body, Round
from pytest_concurrency.core.units import duration
from pytest_concurrency.engine.claims import Claim, Knowledge, LongestClaim
from pytest_concurrency.engine.plan import Plan, WorkerSetup
from pytest_concurrency.expectations import keywords
from pytest_concurrency.expectations.base import Kind, Tolerances
from pytest_concurrency.machine.cpus import gil_enabled

__tracebackhide__ = True  # pytest shows a failure at the line of the test
_LEAST = 0.001  # the probe thread beats twice a millisecond, so it misses shorter holds


def _check(name: str, arguments: Mapping[str, Any], is_async: bool) -> None:
    if is_async:
        raise BadArgument(
            f"{name} needs a plain function: for how long an async def blocks its event "
            "loop, expect_nonblocking measures. Use that marker."
        )
    if arguments.get("max_hold", 1.0) < _LEAST:
        given = duration(arguments["max_hold"])
        raise BadArgument(f"{name}(max_hold={given}): holds shorter than 1ms cannot be seen. Write 1ms or more.")


def _plan(arguments: Mapping[str, Any], body: Body, limits: Tolerances) -> Plan:
    claims: tuple[Claim, ...] = (LongestClaim("hold", arguments.get("max_hold", 0.005), limits.margin),)

    def unmeasurable(rounds: Sequence[Round], known: Knowledge) -> str | None:
        return None if gil_enabled() else "this interpreter runs without a GIL, so nothing can hold it"

    return Plan(setup=WorkerSetup("threads", method="hold"), claims=claims, unmeasurable=unmeasurable)


KIND = Kind(
    name="expect_gil_released",
    keywords={"max_hold": keywords.short_time},
    check=_check,
    plan=_plan,
)
