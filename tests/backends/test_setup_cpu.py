"""CPU time of ``setup=`` is neither the body's computing nor the load of other programs."""

from __future__ import annotations

import time
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.core.model import Body, ExecutorChoice
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.measurement.worker_bench import WorkerBench
from pytest_concurrency.probes.interference import InterferenceMeter

_SECONDS = 0.03


def compute() -> None:
    end = time.process_time() + _SECONDS
    while time.process_time() < end:
        pass


def compute_alone() -> None:
    end = time.thread_time() + _SECONDS
    while time.thread_time() < end:
        pass


def sleep() -> None:
    time.sleep(0.02)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """CPU time that the meter of other programs' load is told to be the plugin's own."""
    seconds: list[float] = []
    monkeypatch.setattr(InterferenceMeter, "add_own", lambda self, more: seconds.append(more))
    return seconds


@pytest.mark.parametrize("executor", [None, ProcessPoolExecutor], ids=["processes", "executor"])
def test_cpu_time_of_setup_in_worker_processes_is_reported_as_own(
    told: list[float], executor: type[Executor] | None
) -> None:
    choice = ExecutorChoice("ProcessPoolExecutor", executor) if executor else None
    setup = WorkerSetup("processes" if executor is None else "executor", 2, executor=choice)
    body = Body(sleep, prepare=compute)
    with closing(WorkerBench(body, WorkerEnvironment(Path.cwd(), "fork"), patience=20.0)) as bench:
        bench.prepare(setup)
        told.clear()
        bench.round(setup)
        seconds = sum(told)
    assert seconds >= 2 * _SECONDS * 0.9, "two workers made their input"


def test_setup_in_the_threads_of_a_pool_is_no_computing_of_the_body() -> None:
    setup = WorkerSetup("executor", 4, executor=ExecutorChoice("ThreadPoolExecutor", ThreadPoolExecutor))
    body = Body(sleep, prepare=compute_alone)
    with closing(WorkerBench(body, WorkerEnvironment(Path.cwd(), "fork"), patience=20.0)) as bench:
        rounds = [bench.round(setup) for _ in range(3)]
    for round_ in rounds:
        for sample in (round_.serial, round_.concurrent):
            assert sample is not None
            assert sample.cpu < 0.5 * _SECONDS
