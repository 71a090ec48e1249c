"""``expect_io_bound``: the body waits, and its waits overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_concurrency.core.model import Body, Round
from pytest_concurrency.core.units import share
from pytest_concurrency.engine import readings
from pytest_concurrency.engine.claims import Knowledge, OverlapClaim, ShareClaim
from pytest_concurrency.engine.plan import Plan, WorkerSetup
from pytest_concurrency.expectations import keywords
from pytest_concurrency.expectations.base import Kind, Tolerances
from pytest_concurrency.expectations.placement import overlap_parsers, overlapping

_ENOUGH = 8  # enough rounds to know the share of waiting, so measuring stops


def _check(name: str, arguments: Mapping[str, Any], is_async: bool) -> None:
    overlapping(name, arguments, is_async)


def _plan(arguments: Mapping[str, Any], body: Body, limits: Tolerances) -> Plan:
    backend, workers = overlapping(KIND.name, arguments, body.is_async)
    setup = WorkerSetup(backend, workers)
    waits = ShareClaim("wait", arguments.get("min_wait", 0.5), limits.margin)
    overlap = OverlapClaim(workers, limits.margin)

    def unmeasurable(rounds: Sequence[Round], known: Knowledge) -> str | None:
        rounds = [round_ for round_ in rounds if readings.serial_readable(round_)]
        if len(rounds) < _ENOUGH:
            return None
        computing = readings.mean_cpu_share(rounds)
        if overlap.shows(computing) or 1 - computing < waits.threshold:
            return None
        return (
            f"it waits for {share(1 - computing)} of its time, and computes so much that it does not show whether the "
            f"waits of {setup.who()} overlap: that takes {share(overlap.least_wait)} of waiting"
        )

    return Plan(setup=setup, claims=(waits, overlap), unmeasurable=unmeasurable)


KIND = Kind(
    name="expect_io_bound",
    keywords={"min_wait": keywords.part, **overlap_parsers()},
    check=_check,
    plan=_plan,
)
