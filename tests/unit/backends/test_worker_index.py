"""One worker that runs the bodies of several in turn, in every backend."""

from __future__ import annotations

import ast
import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_concurrency.backends import open_workers
from pytest_concurrency.backends.base import WorkerGroup
from pytest_concurrency.backends.batch import current_input, forget_inputs, jobs_of
from pytest_concurrency.backends.current_worker import CurrentWorker
from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.backends.threads import ThreadWorkers
from pytest_concurrency.core.model import Body, ExecutorChoice
from pytest_concurrency.engine.plan import WorkerSetup

WORKER = CurrentWorker()
SETUPS = {
    "threads": WorkerSetup("threads", 3),
    "processes": WorkerSetup("processes", 3),
    "tasks": WorkerSetup("tasks", 3),
    "threads of an executor": WorkerSetup("pool", 3, executor=ExecutorChoice("pool", ThreadPoolExecutor)),
    "processes of an executor": WorkerSetup("pool", 3, executor=ExecutorChoice("pool", ProcessPoolExecutor)),
}


def prepare() -> str:
    return f"input of {WORKER.index}"


@pytest.fixture(params=SETUPS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[WorkerGroup, Path]]:
    """A worker group, and the file to which its body writes who runs it and what it was given."""
    setup, file = SETUPS[request.param], tmp_path / "seen.txt"

    def note() -> None:
        with file.open("a") as seen:
            seen.write(f"{(WORKER.index, WORKER.count, current_input())}\n")

    async def note_later() -> None:
        await asyncio.sleep(0)
        note()

    is_async = setup.backend == "tasks"
    body = Body(note_later if is_async else note, is_async=is_async, prepare=prepare)
    group = open_workers(setup, body, WorkerEnvironment(tmp_path, start_method="fork"))
    yield group, file
    group.close()
    forget_inputs()


def seen(file: Path) -> list[object]:
    return [ast.literal_eval(line) for line in file.read_text().splitlines()]


def test_single_worker_runs_the_bodies_of_all_with_their_inputs(opened: tuple[WorkerGroup, Path]) -> None:
    group, file = opened
    group.run(1, 1, 20.0, "prepare", turns=3)
    sample = group.run(1, 2, 20.0, turns=3)
    once = [(index, 3, f"input of {index}") for _ in range(2) for index in range(3)]
    assert seen(file) in [once * tries for tries in range(1, 5)]  # a pool repeats a batch whose worker was late
    (reading,) = sample.readings
    assert reading.by_index
    assert len(reading.each) == 3
    assert sample.loops * sum(reading.each) <= reading.wall


def test_single_worker_runs_its_own_body_otherwise(opened: tuple[WorkerGroup, Path]) -> None:
    group, file = opened
    group.run(1, 1, 20.0, "prepare")
    (reading,) = group.run(1, 2, 20.0).readings
    assert set(seen(file)) == {(0, 1, "input of 0")}
    assert reading.by_index
    assert reading.each == ()


def test_several_workers_run_a_body_each(opened: tuple[WorkerGroup, Path]) -> None:
    group, file = opened
    group.run(3, 1, 20.0, "prepare")
    group.run(3, 1, 20.0)
    # A pool repeats a batch whose workers were late, as on a busy machine.
    assert set(seen(file)) == {(index, 3, f"input of {index}") for index in range(3)}


def run_in_threads(function: Callable[[], object], prepare: Callable[[], object] | None = None) -> tuple[bool, bool]:
    """Return whether the index was asked for, by what makes input and by the body."""
    group = ThreadWorkers(jobs_of(Body(function, prepare=prepare)), 2)
    try:
        made = prepare is not None and any(one.by_index for one in group.run(2, 1, 20.0, "prepare").readings)
        return made, any(reading.by_index for reading in group.run(2, 1, 20.0).readings)
    finally:
        group.close()
        forget_inputs()


def test_index_is_not_asked_for_by_a_body_that_reads_the_count_only() -> None:
    assert run_in_threads(lambda: (WORKER.count, WORKER.backend, WORKER.input)) == (False, False)


def test_index_asked_for_by_one_batch_is_not_taken_for_the_next_ones() -> None:
    assert run_in_threads(lambda: WORKER.index) == (False, True)
    assert run_in_threads(threading.get_ident) == (False, False)


def test_index_asked_for_by_setup_is_noted_there() -> None:
    assert run_in_threads(threading.get_ident, prepare) == (True, False)
