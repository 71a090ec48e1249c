"""asyncio tasks on one event loop, which lives in a thread of its own and is used again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from itertools import repeat
from typing import Any

from pytest_concurrency.backends.base import Hung
from pytest_concurrency.backends.job import Worker, control_body, current_worker
from pytest_concurrency.backends.threads import ThreadCrew
from pytest_concurrency.model import Sample

_CANCEL = 1.0  # seconds that cancelled tasks get to end


class TaskCrew:
    """Runs batches as tasks. All of them are one worker to the machine: the loop's thread.

    A sample has one reading, the thread's; how many tasks it was is in the request.
    """

    note = "one event loop in a thread of its own"

    def __init__(self, call: Callable[[], Any], count: int) -> None:
        self._call = call
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pending: asyncio.Task[None] | None = None
        self._size = (1, 1)  # tasks, loops
        self._thread = ThreadCrew({"body": self._batch, "control": control_body, "close": self._end_loop}, 1, "tasks")

    def run(self, workers: int, loops: int, deadline: float, job: str = "body") -> Sample:
        """Await ``workers`` tasks, each of which awaits the body ``loops`` times."""
        self._size = (workers, loops)
        try:
            sample = self._thread.run(1, 1, deadline, job)
        except Hung:
            self._cancel()
            self._thread.recover(_CANCEL)
            raise
        return Sample(loops, sample.readings)

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._thread.run(1, 1, _CANCEL, "close")
        self._thread.close()

    def _batch(self) -> None:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        tasks, loops = self._size
        self._pending = self._loop.create_task(self._gather(tasks, loops))
        try:
            self._loop.run_until_complete(self._pending)
        finally:
            self._pending = None

    async def _gather(self, tasks: int, loops: int) -> None:
        started = [asyncio.ensure_future(self._one(index, tasks, loops)) for index in range(tasks)]
        try:
            await asyncio.gather(*started)
        except BaseException:
            for task in started:
                task.cancel()
            await asyncio.gather(*started, return_exceptions=True)
            raise

    async def _one(self, index: int, tasks: int, loops: int) -> None:
        current_worker.set(Worker(index, tasks, "tasks"))
        for _ in repeat(None, loops):
            await self._call()

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
