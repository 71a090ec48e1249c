"""``expect_cpu_bound``: the body computes; optionally, it holds or releases the GIL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.core.model import Body, Round
from pytest_concurrency.engine.claims import Claim, GilClaim, Knowledge, ShareClaim
from pytest_concurrency.engine.plan import Plan, WorkerSetup
from pytest_concurrency.expectations import keywords
from pytest_concurrency.expectations.base import Kind, Tolerances
from pytest_concurrency.machine.cpus import gil_enabled, usable_cpus


def _check(name: str, arguments: Mapping[str, Any], is_async: bool) -> None:
    if is_async and arguments.get("gil") is not None:
        raise BadArgument(f"{name}(gil=...) needs a plain function: an event loop has one thread. Leave gil= out.")


def _plan(arguments: Mapping[str, Any], body: Body, limits: Tolerances) -> Plan:
    claims: tuple[Claim, ...] = (ShareClaim("cpu", arguments.get("min_cpu", 0.5), limits.margin),)
    use = arguments.get("gil")
    has_gil = gil_enabled()
    if use is not None and has_gil:
        claims += (GilClaim(use),)

    def unmeasurable(rounds: Sequence[Round], known: Knowledge) -> str | None:
        if use == "held" and not has_gil:
            return 'gil="held" needs an interpreter with the GIL, and this one runs without'
        return None

    return Plan(
        # With a CPU for each of two threads, their speedup also shows whether the body holds the GIL.
        setup=WorkerSetup(
            "tasks" if body.is_async else "threads",
            2 if use is not None and has_gil and usable_cpus() >= 2 else None,
        ),
        claims=claims,
        needs_gil=use is not None and has_gil,
        unmeasurable=unmeasurable,
    )


KIND = Kind(
    name="expect_cpu_bound",
    keywords={"min_cpu": keywords.part, "gil": keywords.one_of("held", "released")},
    check=_check,
    plan=_plan,
)
