"""asyncio tasks on one event loop, which lives in a thread of its own and is used again."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from itertools import repeat
from typing import Any

from pytest_concurrency.backends import places
from pytest_concurrency.backends.base import Hung, Raised
from pytest_concurrency.backends.job import Worker, control_body, current_worker, prepare_input
from pytest_concurrency.backends.threads import ThreadCrew
from pytest_concurrency.model import BlockProbe, Body, Sample
from pytest_concurrency.probes.loop_beat import LoopBeat

_CANCEL = 1.0  # seconds that cancelled tasks get to end


class TaskCrew:
    """Runs batches as tasks. All of them are one worker to the machine: the loop's thread.

    A sample has one reading, the thread's; how many tasks it was is in the request.
    """

    note = "one event loop in a thread of its own"
    one_interpreter = True
    one_process = True
    cpus = None

    def __init__(self, body: Body, count: int) -> None:
        self._call = body.call
        self._prepare = body.prepare
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pending: asyncio.Task[None] | None = None
        self._size = (1, 1)  # tasks, loops
        self.block: BlockProbe | None = None  # of the last "beat" job
        self._workers: list[asyncio.Task[None]] = []  # of the last batch
        self._failed: int | None = None  # the task that raised first
        self._thread = ThreadCrew(
            {
                "body": self._batch,
                "beat": self._beside_beat,
                "prepare": self._make_inputs,
                "control": control_body,
                "close": self._end_loop,
            },
            1,
            "tasks",
        )

    def run(self, workers: int, loops: int, deadline: float, job: str = "body") -> Sample:
        """Await ``workers`` tasks, each of which awaits the body ``loops`` times."""
        self._size = (workers, loops)
        try:
            sample = self._thread.run(1, 1, deadline, job)
        except Raised as raised:
            raise Raised(raised.error, "tasks", self._failed or 0, workers) from None
        except Hung as hung:
            stood = self._whereabouts(workers, hung.places[0])
            self._cancel()
            self._thread.recover(_CANCEL)
            raise Hung("tasks", workers, deadline, stood) from None
        return Sample(loops, sample.readings)

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._thread.run(1, 1, _CANCEL, "close")
        self._thread.close()
        if self._loop is not None and not self._loop.is_running():
            # Its thread was ended in the middle of a batch: another one has to close it.
            closing = threading.Thread(target=self._end_loop, name="concurrency-tasks-closing", daemon=True)
            closing.start()
            closing.join(2 * _CANCEL)

    def _batch(self) -> None:
        self._complete(self._gather(*self._size))

    def _make_inputs(self) -> None:
        assert self._prepare is not None
        for index in range(self._size[0]):
            current_worker.set(Worker(index, self._size[0], "tasks"))
            prepare_input(self._prepare)

    def _beside_beat(self) -> None:
        self._complete(self._body_beside_beat())

    def _complete(self, batch: Coroutine[Any, Any, None]) -> None:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._pending = self._loop.create_task(batch)
        try:
            self._loop.run_until_complete(self._pending)
        finally:
            self._pending = None

    async def _body_beside_beat(self) -> None:
        with LoopBeat(asyncio.get_running_loop()) as beat:
            await self._one(0, 1, 1)
            await asyncio.sleep(0)  # what the body did last may still keep the beat waiting
        self.block = beat.result()

    async def _gather(self, tasks: int, loops: int) -> None:
        self._failed = None
        self._workers = started = [asyncio.ensure_future(self._one(index, tasks, loops)) for index in range(tasks)]
        try:
            await asyncio.gather(*started)
        except GeneratorExit:
            raise
        except BaseException:
            for task in started:
                task.cancel()
            await asyncio.gather(*started, return_exceptions=True)
            raise

    async def _one(self, index: int, tasks: int, loops: int) -> None:
        current_worker.set(Worker(index, tasks, "tasks"))
        try:
            for _ in repeat(None, loops):
                await self._call()
        except BaseException:
            if self._failed is None:
                self._failed = index
            raise

    def _whereabouts(self, workers: int, loop_at: str) -> list[str]:
        """Say where each task of a hanging batch is: in its own await, or in the call that keeps the loop."""
        found = []
        for task in self._workers[:workers]:
            if task.done():
                found.append("finished")
            else:
                frames = _awaiting(task)
                found.append(places.describe(frames) if frames else loop_at)
        return found

    def _cancel(self) -> None:
        """From the test's thread: let a batch that hangs in an await end."""
        loop, pending = self._loop, self._pending
        if loop is not None and pending is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(pending.cancel)

    def _end_loop(self) -> None:
        loop, self._loop = self._loop, None
        if loop is None:
            return
        try:
            leftover = asyncio.all_tasks(loop)
            for task in leftover:
                task.cancel()
            if leftover:
                loop.run_until_complete(asyncio.wait(leftover, timeout=_CANCEL))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def _awaiting(task: asyncio.Task[None]) -> list[places.Place]:
    """Return the places that a task waits in, innermost first; none if it runs at this moment."""
    found: list[places.Place] = []
    awaited: Any = task.get_coro()
    while (frame := getattr(awaited, "cr_frame", None)) is not None:
        if awaited.cr_running:
            return []
        found.insert(0, next(places.of_frame(frame)))
        awaited = awaited.cr_await
    return found
