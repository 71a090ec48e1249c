"""Short ways to the values that the pure logic takes."""

from __future__ import annotations

from typing import Any

from pytest_concurrency.core.model import Accounting, Interference, Reading, Round, Sample, VerdictName
from pytest_concurrency.core.outcomes import Bound, Estimate, Finding, Outcome, PerBody, Spent
from pytest_concurrency.engine.claims import Claim, Knowledge
from pytest_concurrency.engine.plan import Plan, WorkerSetup
from pytest_concurrency.engine.settlement import Result, Settlement
from pytest_concurrency.engine.voting import VoteCount
from pytest_concurrency.verdicts.outcome import words


def reading(
    cpu: float = 0.0,
    wait: float = 0.0,
    delay: float | None = 0.0,
    *,
    start: float = 0.0,
    late: float | None = None,
    switches: int | None = None,
    accounting: Accounting = "seen",
    helpers_delay: float = 0.0,
) -> Reading:
    """A worker that computed, waited and was kept waiting for a CPU, and did nothing else."""
    end = start + cpu + wait + (delay or 0.0)
    return Reading(start, end, cpu, delay, late, switches, accounting, helpers_delay=helpers_delay)


def sample(*readings: Reading, loops: int = 1) -> Sample:
    return Sample(loops, readings)


def round_(serial: Reading, *together: Reading, **more: Any) -> Round:
    return Round(1, Sample(1, (serial,)), Sample(1, together) if together else None, **more)


def settlement(
    *claims: Claim,
    rounds: tuple[Round, ...],
    verdicts: tuple[VerdictName, ...] = ("not_met",),
    estimate: Estimate | None = None,
    known: Knowledge | None = None,
) -> Settlement:
    figure = estimate or Estimate(1.02, 1.0, 1.05)
    results = tuple(
        Result(claim, verdict, None, figure, VoteCount()) for claim, verdict in zip(claims, verdicts, strict=True)
    )
    return Settlement(results, rounds, known or Knowledge(2.0), 0.5)


def outcome(**changes: Any) -> Outcome:
    values: dict[str, Any] = {
        "marker": "expect_speedup",
        "arguments": {"threads": 4, "at_least": 3},
        "verdict": "met",
        "reason": "",
        "estimate": Estimate(3.97, 3.91, 4.02),
        "threshold": 3.0,
        "rounds": 6,
        "seconds": 0.25,
        "bound": Bound("io", 0.02, 0.98, "unknown", "a serial call waits for 98% of 8 ms"),
        "workers": "4 threads",
        "interference": Interference(0.1, 0.0, None),
        "advice": "it waits: threads or asyncio",
        "tool": "threads or asyncio",
        "claim": "speedup",
        "backend": "threads",
        "worker_count": 4,
    }
    changes = {"finding": FINDINGS.get(changes.get("verdict", "met")), **changes}
    if changes["finding"] is not None and "reason" not in changes:
        changes["reason"] = words(changes["finding"])
    return Outcome(**{**values, **changes})


FINDINGS = {
    "not_met": Finding(
        kind="serialized",
        label="expect_speedup(threads=4, at_least=3)",
        headline="4 threads were 1.00x as fast as 1 thread (interval 0.99x to 1.03x); required: at least 3x.",
        cause="serialized. The code waits 99% of its time.",
        place="test_shop.py:10 in fetch: with LOCK:",
        try_next="remove the lock.",
        certainty="Confirmed.",
        evidence=(
            Spent("1 thread", PerBody(0.0041, 0.0, 0.0041, 0.0)),
            Spent("4 threads", PerBody(0.016, 0, 0.012, 0)),
        ),
        rounds=6,
    ),
    "undecided": Finding("undecided", "no verdict within 10 s (max_time)", try_next="run it on a quieter machine."),
    "unmeasurable": Finding("unmeasurable", "it needs 3 CPUs", try_next="run it where it can be measured."),
}


def plan(*claims: Claim, backend: str = "threads", workers: int | None = 4, **more: Any) -> Plan:
    return Plan(WorkerSetup(backend, workers), claims, **more)
