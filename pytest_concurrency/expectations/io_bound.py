"""``expect_io_bound``: the body waits, and its waits overlap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_concurrency.core.model import Body
from pytest_concurrency.engine.claims import OverlapClaim, ShareClaim
from pytest_concurrency.engine.plan import Plan, WorkerSetup
from pytest_concurrency.expectations import keywords
from pytest_concurrency.expectations.base import Kind, Tolerances
from pytest_concurrency.expectations.placement import overlap_parsers, overlapping


def _check(name: str, arguments: Mapping[str, Any], is_async: bool) -> None:
    overlapping(name, arguments, is_async)


def _plan(arguments: Mapping[str, Any], body: Body, limits: Tolerances) -> Plan:
    backend, workers = overlapping(KIND.name, arguments, body.is_async)
    return Plan(
        setup=WorkerSetup(backend, workers),
        claims=(
            ShareClaim("wait", arguments.get("min_wait", 0.5), limits.margin),
            OverlapClaim(workers, limits.margin),
        ),
    )


KIND = Kind(
    name="expect_io_bound",
    keywords={"min_wait": keywords.part, **overlap_parsers()},
    check=_check,
    plan=_plan,
)
