from __future__ import annotations

import pytest

from pytest_concurrency.core.addresses import FAILURES
from pytest_concurrency.core.model import Interval
from pytest_concurrency.core.outcomes import Bound
from pytest_concurrency.engine.bound_type import classify, per_body
from pytest_concurrency.engine.claims import Knowledge
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.testing import Noise, ScriptedBench, ScriptedBody
from pytest_concurrency.verdicts.advice import work_and_tool
from pytest_concurrency.verdicts.causes import of_speedup

from ..make import reading, sample

WAITS = ScriptedBody(wait=0.01)
COMPUTES = ScriptedBody(cpu=0.01)


def bound_of(body: ScriptedBody, gil: str = "unknown", backend: str = "threads", workers: int | None = 4) -> Bound:
    bench = ScriptedBench(body, Noise(jitter=0.02), cpus=8)
    rounds = [bench.round(WorkerSetup(backend, workers)) for _ in range(9)]
    return classify(rounds, WorkerSetup(backend, workers), Knowledge(8.0, gil, backend != "processes"))


@pytest.mark.parametrize(
    ("body", "gil", "backend", "kind", "evidence"),
    [
        (WAITS, "unknown", "threads", "io", "the waits of 4 threads overlap: all have finished after"),
        (WAITS, "unknown", "tasks", "io", "the waits of 4 tasks overlap"),
        (ScriptedBody(wait=0.01, lock=1.0), "unknown", "threads", "serialized", "of 4 threads are serialized"),
        (ScriptedBody.of_speedup(1.4), "unknown", "threads", "serialized", "the waits of 4 threads are serialized"),
        (ScriptedBody.of_speedup(2.2), "unknown", "threads", "io", "the waits of 4 threads overlap"),
        (ScriptedBody(wait=0.01, lock=1.0), "unknown", "tasks", "serialized", "the waits of 4 tasks are serialized"),
        (ScriptedBody(wait=0.008, cpu=0.002), "unknown", "threads", "io", "a serial call waits for 80%"),
        (COMPUTES, "held", "threads", "cpu", "so other threads cannot run"),
        (COMPUTES, "released", "threads", "cpu", "so other threads can run"),
        (COMPUTES, "disabled", "threads", "cpu", "runs without a GIL"),
        (COMPUTES, "unknown", "processes", "cpu", "a serial call computes for 100%"),
        (ScriptedBody(cpu=0.01, growth=1.8), "released", "threads", "cpu", "they contend for"),
        (ScriptedBody(cpu=0.005, wait=0.005), "released", "threads", "mixed", "and waits for the rest"),
    ],
)
def test_bound_types_with_their_evidence(body: ScriptedBody, gil: str, backend: str, kind: str, evidence: str) -> None:
    bound = bound_of(body, gil, backend)
    assert bound.kind == kind
    assert evidence in bound.evidence
    assert bound.gil == gil
    assert bound.cpu_share + bound.wait_share == pytest.approx(1.0)


def test_one_worker_alone_says_nothing_of_queues() -> None:
    bound = bound_of(ScriptedBody(wait=0.01, lock=1.0), workers=None)
    assert bound.kind == "io"
    assert "queue" not in bound.evidence


def test_computing_without_growth_is_not_contended() -> None:
    assert "contend" not in bound_of(COMPUTES, "released").evidence


def test_one_bodys_part_of_a_batch() -> None:
    batch = sample(reading(0.02, 0.04, 0.002), reading(0.04, 0.08, 0.004), loops=2)
    each = per_body([batch])
    assert (each.cpu, each.blocked, each.delay) == (pytest.approx(0.015), pytest.approx(0.03), pytest.approx(0.0015))
    assert each.wall == pytest.approx(0.062)
    assert per_body([sample(reading(0.08, 0.0, None))], tasks=4).cpu == pytest.approx(0.02)
    assert per_body([sample(reading(0.08, 0.0, None))]).delay is None


@pytest.mark.parametrize(
    ("kind", "gil", "tool", "not_tool"),
    [
        ("io", "unknown", "threads or asyncio", "process"),
        ("serialized", "unknown", "remove the lock", "process"),
        ("mixed", "held", "processes for the computing", "asyncio"),
        ("mixed", "released", "threads", "process"),
        ("cpu", "held", "processes", "asyncio"),
        ("cpu", "unknown", "processes", "asyncio"),
        ("cpu", "released", "threads", "process"),
        ("cpu", "disabled", "threads", "process"),
    ],
)
def test_each_bound_type_has_its_tool(kind: str, gil: str, tool: str, not_tool: str) -> None:
    said = ": ".join(work_and_tool(Bound(kind, 0.5, 0.5, gil)))
    assert tool in said
    assert not_tool not in said


@pytest.mark.parametrize(
    ("gil", "low", "high", "tool"),
    [
        ("released", 0.95, 1.05, "(1.00x): processes"),
        ("released", 1.8, 2.0, "1.90x as fast in threads: threads"),
        ("released", 1.0, 2.0, "without the GIL: threads"),
        ("unknown", 1.8, 2.0, ": threads"),
        ("unknown", 0.95, 1.05, ": processes"),
        ("briefly_released", 0.95, 1.05, ": processes"),
        ("held", 0.95, 1.05, ": processes"),
    ],
)
def test_tool_follows_what_threads_were_measured_to_gain(gil: str, low: float, high: float, tool: str) -> None:
    assert tool in ": ".join(work_and_tool(Bound("cpu", 1.0, 0.0, gil), by_threads=Interval(low, high)))


@pytest.mark.parametrize(
    ("kind", "gil", "backend", "section", "said"),
    [
        ("serialized", "unknown", "threads", "serialized", "narrow the lock"),
        ("serialized", "unknown", "tasks", "serialized", "asyncio.to_thread()"),
        ("io", "unknown", "threads", "partial-overlap", "pool size"),
        ("cpu", "held", "threads", "gil", "use processes"),
        ("cpu", "released", "threads", "contention", "memory bandwidth"),
        ("cpu", "unknown", "processes", "contention", "lock or file"),
        ("cpu", "held", "tasks", "one-event-loop", "use processes"),
        ("cpu", "held", "compare", "compare", "if the second function uses that"),
        ("mixed", "held", "threads", "gil", "free-threaded build"),
    ],
)
def test_cause_of_low_speedup_fits_bound_type_and_backend(
    kind: str, gil: str, backend: str, section: str, said: str
) -> None:
    cause = of_speedup(Bound(kind, 0.5, 0.5, gil), WorkerSetup(backend, 4), one_interpreter=backend != "processes")
    assert cause.kind == section
    assert said in cause.try_next
    assert cause.kind in FAILURES


@pytest.mark.parametrize("backend", ["threads", "tasks"])
def test_one_at_a_time_is_not_explained_by_a_little_computing(backend: str) -> None:
    """If only the computing were done in turn, 30% of it would leave room for a speedup of 3.3x."""
    cause = of_speedup(Bound("mixed", 0.3, 0.7, "held"), WorkerSetup(backend, 4), speedup=1.02)
    assert cause.kind == "serialized"
    assert "computes only 30% of its time, and only one of 4" in cause.why


def test_much_computing_explains_one_at_a_time() -> None:
    assert of_speedup(Bound("mixed", 0.7, 0.3, "held"), WorkerSetup("threads", 4), speedup=1.1).kind == "gil"


@pytest.mark.parametrize(
    ("speedup", "said"), [(1.02, "only one of 4 threads at a time"), (1.9, "as with a limit of 2 or 3")]
)
def test_cause_claims_one_worker_at_a_time_only_where_the_speedup_shows_it(speedup: float, said: str) -> None:
    assert said in of_speedup(Bound("serialized", 0.0, 1.0), WorkerSetup("threads", 4), speedup=speedup).why
