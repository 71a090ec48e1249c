"""``expect_io_bound``: the body waits, and its waits overlap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_concurrency.claims import OverlapClaim, ShareClaim
from pytest_concurrency.errors import BadArgument
from pytest_concurrency.expectations import keywords
from pytest_concurrency.expectations.base import Kind, Limits
from pytest_concurrency.expectations.where import backend_for
from pytest_concurrency.model import Body
from pytest_concurrency.plan import Plan, Setup


def _check(name: str, arguments: Mapping[str, Any], is_async: bool) -> None:
    backend_for(name, "threads", is_async, explicit="threads" in arguments)
    if arguments.get("threads", 4) < 2:
        raise BadArgument(f"{name}(threads=1): waits of one thread have nothing to overlap with. Write 2 or more.")


def _plan(arguments: Mapping[str, Any], body: Body, limits: Limits) -> Plan:
    workers = arguments.get("threads", 4)
    return Plan(
        setup=Setup(backend_for("expect_io_bound", "threads", body.is_async, "threads" in arguments), workers),
        claims=(
            ShareClaim("wait", arguments.get("min_wait", 0.5), limits.margin),
            OverlapClaim(workers, limits.margin),
        ),
    )


KIND = Kind(
    name="expect_io_bound",
    keywords={"min_wait": keywords.part, "threads": keywords.workers("threads")},
    check=_check,
    plan=_plan,
)
