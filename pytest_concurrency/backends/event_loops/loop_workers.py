"""What the back-ends of event loops share: all tasks of a batch run in one thread, the loop's."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace

from pytest_concurrency.backends.base import WorkerGroup
from pytest_concurrency.backends.batch import (
    Worker,
    asked_index,
    bodies_of,
    control_body,
    forget_index,
    prepare_inputs_of_tasks,
)
from pytest_concurrency.backends.event_loops.borrowed_loop import BorrowedLoopWorker, Job
from pytest_concurrency.backends.threads import ThreadWorkers
from pytest_concurrency.core.model import BlockProbe, Body, Sample
from pytest_concurrency.machine.stack_locations import Place

__tracebackhide__ = True  # pytest shows a failure at the line of the test

CANCEL = 1.0  # seconds that cancelled tasks get to end


class LoopWorkers(WorkerGroup):
    """Runs batches as tasks, which all share the loop's thread.

    So a sample has one reading, that of the thread; the number of tasks is in the request.
    """

    block: BlockProbe | None = None
    _thread: ThreadWorkers | BorrowedLoopWorker

    def __init__(self, body: Body) -> None:
        self._call = body.call
        self._prepare = body.prepare
        self._bodies: list[tuple[Worker, ...]] = []  # whose bodies each task of the last batch runs
        self._loops = 1
        self._each: tuple[float, ...] = ()  # seconds per call of each worker, if one task ran the bodies of several
        self._ends: list[float] = []  # when each task of the last batch was done
        self._jobs: dict[str, Job] = {
            "body": self._batch,
            "beat": self._body_beside_beat,
            "prepare": self._make_inputs,
            "control": self._control,
        }

    def run(self, workers: int, loops: int, deadline: float, job: str = "body", turns: int = 1) -> Sample:
        """Await ``workers`` tasks, each of which awaits the body ``loops`` times."""
        self._bodies = [bodies_of(index, workers, "tasks", turns) for index in range(workers)]
        self._loops = loops
        self._each = ()
        self._ends = [0.0] * workers
        forget_index(*itertools.chain(*self._bodies))
        sample = self._run_job(workers, deadline, job)
        ends = tuple(self._ends) if job == "body" else ()
        by_index = asked_index(*itertools.chain(*self._bodies))
        readings = (replace(one, ends=ends, by_index=by_index, each=self._each) for one in sample.readings)
        return Sample(loops, tuple(readings))

    @property
    def native_ids(self) -> Sequence[int]:
        return self._thread.native_ids

    def stacks(self, workers: int) -> Sequence[Sequence[Place]]:
        """Return where each unfinished task waits; by default all are where the loop's thread is."""
        return list(self._thread.stacks(1)) * workers

    @abstractmethod
    def _run_job(self, workers: int, deadline: float, job: str) -> Sample:
        """Run a job in the loop's thread, and raise what goes wrong as that of a task."""

    @abstractmethod
    async def _batch(self) -> None:
        """Run one task of each worker."""

    @abstractmethod
    async def _body_beside_beat(self) -> None:
        """Run one task while the loop's heartbeat looks for blocks."""

    async def _make_inputs(self) -> None:
        assert self._prepare is not None
        prepare_inputs_of_tasks(self._prepare, list(itertools.chain(*self._bodies)))

    async def _control(self) -> None:
        control_body()
