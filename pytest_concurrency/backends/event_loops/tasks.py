"""Back-end of asyncio tasks, on an event loop in a thread of its own, or on the loop that an async plugin runs."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from pytest_concurrency.backends import hung
from pytest_concurrency.backends.base import Hung, Raised, not_started
from pytest_concurrency.backends.batch import LEFT_BEHIND, SAYING_SO, await_as
from pytest_concurrency.backends.event_loops.borrowed_loop import BorrowedLoop, BorrowedLoopWorker
from pytest_concurrency.backends.event_loops.loop_workers import CANCEL, LoopWorkers
from pytest_concurrency.backends.executors import threads_of
from pytest_concurrency.backends.threads import ThreadWorkers
from pytest_concurrency.core.errors import WorkerLost
from pytest_concurrency.core.leftovers import Leftover
from pytest_concurrency.core.model import Body, Sample
from pytest_concurrency.machine import stack_locations
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.originals import Thread
from pytest_concurrency.machine.running_loop import in_loop
from pytest_concurrency.probes.left_tasks import LeftTasks
from pytest_concurrency.probes.loop_heartbeat import LoopHeartbeat
from pytest_concurrency.verdicts import worker_errors

__tracebackhide__ = True  # pytest shows a failure at the line of the test

_FOREIGN = "measuring ran this on an event loop of its own, and it uses something that another loop has made. "
_INSIDE = (
    "The test's own loop stands still while the concurrency fixture measures: make it inside the measured function, "
    "or mark a test with expect_speedup, whose body runs on the test's own loop."
)
_OUTSIDE = (
    "Let pytest-asyncio or anyio run the test (pytest.mark.asyncio, pytest.mark.anyio): then the body runs on the loop "
    "of its fixtures."
)


class _Carrier(Exception):
    """Carries an exception out of the loop that would otherwise stop the loop itself."""

    def __init__(self, carried: BaseException) -> None:
        super().__init__(str(carried))
        self.carried = carried


class TaskWorkers(LoopWorkers):
    """Runs batches as tasks of asyncio."""

    note: str = "one event loop in a thread of its own"

    def __init__(self, body: Body, count: int, borrowed_loop: BorrowedLoop | None = None) -> None:
        """``borrowed_loop``: the loop that the test itself runs on, if an async plugin runs the test."""
        super().__init__(body)
        self._label = body.label
        self._helpers: list[threading.Thread] = []  # threads of the loop's pool, which asyncio.to_thread uses
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pending: asyncio.Task[None] | None = None
        self._workers: list[asyncio.Task[None]] = []  # of the last batch
        self._failed: int | None = None  # the task that raised first
        self._unhandled: dict[str, Any] | None = None  # the first exception that only the loop's handler got
        self._warned = False
        self._closed = False
        self._tasks = LeftTasks()
        self._left: Sequence[Leftover] = ()
        self._inside = borrowed_loop is None and in_loop()  # whether the test itself runs on a loop, and blocks it
        jobs = {**self._jobs, LEFT_BEHIND: self._look_for_leftovers}
        if borrowed_loop is not None:
            self.note = f"the test's own event loop, {borrowed_loop.name}"
            self._thread = BorrowedLoopWorker(borrowed_loop, jobs)
        else:
            calls = {name: functools.partial(self._complete, job) for name, job in jobs.items()}
            self._thread = ThreadWorkers({**calls, "close": self._end_loop}, 1, "tasks")

    def _run_job(self, workers: int, deadline: float, job: str) -> Sample:
        try:
            sample = self._thread.run(1, 1, deadline, job)
        except Raised as raised:
            error = raised.error.carried if isinstance(raised.error, _Carrier) else raised.error
            if isinstance(error, KeyboardInterrupt) and isinstance(self._thread, BorrowedLoopWorker):
                raise error from None  # the test's loop is in the main thread, so it may be Ctrl-C
            if isinstance(error, RuntimeError) and "different" in str(error) and "loop" in str(error):
                _add_note(error, _FOREIGN + (_INSIDE if self._inside else _OUTSIDE))
            raise Raised(error, "tasks", self._failed, workers) from None
        except Hung as late:
            stood = self._stack_location(workers, late.places[0])
            self._cancel()
            self._thread.recover(CANCEL)
            inside = worker_errors.LOOP_OF_THE_TEST if self._inside else None
            cause = worker_errors.TIME_STANDS_STILL if _time_stands_still() else inside
            raise Hung("tasks", workers, deadline, stood, cause) from None
        except BaseException:  # Ctrl-C, or a timeout of the test
            self._cancel()
            self._thread.recover(CANCEL)
            raise
        self._warn_of_unhandled(workers)
        return sample

    def left_behind(self) -> Sequence[Leftover]:
        self.run(1, 1, SAYING_SO, LEFT_BEHIND)
        return self._left

    def stacks(self, workers: int) -> Sequence[Sequence[stack_locations.Place]]:
        """Return where each unfinished task waits; if one is running, all wait for the call in the loop's thread."""
        unfinished = [task for task in self._workers if not task.done()]
        stacks = [stack_locations.of_task(task) for task in unfinished]
        if all(stacks):
            return stacks
        return list(self._thread.stacks(1)) * len(unfinished)

    def close(self) -> None:
        """End the loop if it is our own."""
        if isinstance(self._thread, BorrowedLoopWorker):
            return
        self._closed = True
        with contextlib.suppress(Exception):
            self._thread.run(1, 1, CANCEL, "close")
        self._thread.close()
        if self._loop is not None and not self._loop.is_running():
            # The loop's thread was ended in the middle of a batch, so another thread has to close the loop.
            closing = Thread(target=self._end_loop, name="concurrency-tasks-closing", daemon=True)
            closing.start()
            closing.join(2 * CANCEL)
        # Without this, Python would wait forever at exit for a thread of the pool in which a call of the body hangs.
        hung.leave_threads(f"{self._label}, a thread of its event loop's pool", self._helpers)

    async def _batch(self) -> None:
        with self._tasks.first_calls():
            await self._gather()

    async def _look_for_leftovers(self) -> None:
        self._left = await self._tasks.found()

    def _complete(self, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if self._loop is None:
            self._loop = self._new_loop()
        if self._loop.is_closed():
            raise _without_loop("tasks: the event loop was closed between two batches.")
        asyncio.set_event_loop(self._loop)
        self._pending = pending = self._loop.create_task(job())
        try:
            self._loop.run_until_complete(pending)
        except RuntimeError:
            if pending.done():
                raise
            raise _without_loop("tasks: the body stopped its event loop.") from None
        finally:
            self._pending = None
            if self._closed:  # this batch hung until now, and no one else closes the loop any more
                self._end_loop()

    def _new_loop(self) -> asyncio.AbstractEventLoop:
        try:
            loop = asyncio.new_event_loop()
        except OSError as error:
            hung.let_go_of_half_made_loop(error)
            raise not_started("tasks: the event loop could not be made.", error) from None
        loop.set_exception_handler(self._take_unhandled)
        return loop

    def _take_unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if self._unhandled is None:  # thousands of bodies may raise the same, so only the first is reported
            self._unhandled = context
            loop.default_exception_handler(context)

    def _warn_of_unhandled(self, workers: int) -> None:
        """Warn once, from the test's thread, of an exception that asyncio only logs."""
        context = self._unhandled
        if context is None or self._warned:
            return
        self._warned = True
        error = context.get("exception")
        stack = traceback.extract_tb(error.__traceback__) if error is not None else []
        place = stack[-1] if stack else None
        try:
            warnings.warn_explicit(
                f"while measuring {workers} tasks, asyncio's event loop reported: {context.get('message')}"
                + (f": {error!r}" if error is not None else ""),
                RuntimeWarning,
                place.filename if place else "asyncio",
                (place.lineno if place else 0) or 0,
            )
        except RuntimeWarning as warning:  # warnings are errors here
            raise Raised(warning.with_traceback(None), "tasks", None, workers) from error

    async def _body_beside_beat(self) -> None:
        with LoopHeartbeat(asyncio.get_running_loop()) as beat:
            await self._one(0)
            await asyncio.sleep(0)  # the body's last step may still delay the beat
        self.block = beat.result()

    async def _gather(self) -> None:
        self._failed = None
        start = asyncio.get_running_loop().create_task
        self._workers = started = [start(self._one(index)) for index in range(len(self._bodies))]
        try:
            await asyncio.gather(*started)
        except GeneratorExit:
            raise
        except BaseException:
            for task in started:
                task.cancel()
            await asyncio.gather(*started, return_exceptions=True)
            raise

    async def _one(self, index: int) -> None:
        try:
            self._each = await await_as(self._call, self._loops, self._bodies[index])
            self._ends[index] = CLOCKS.wall()
        except GeneratorExit:  # the coroutine is being closed, see hung.let_go_of_tasks()
            raise
        except BaseException as error:
            if self._failed is None:
                self._failed = index
                # Cancel the others at once: some may be about to make a call that blocks.
                for other in self._workers:
                    if other is not asyncio.current_task():
                        other.cancel()
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise _Carrier(error) from None
            raise

    def _stack_location(self, workers: int, loop_at: str) -> list[str]:
        """Return where each task of a hanging batch is: in its own await, or in the call that blocks the loop."""
        found = []
        for task in self._workers[:workers]:
            if task.done():
                found.append(worker_errors.FINISHED)
            else:
                frames = stack_locations.of_task(task)
                found.append(stack_locations.describe(frames) if frames else loop_at)
        return found

    def _cancel(self) -> None:
        """From the test's thread: cancel a batch that hangs in an await."""
        loop, pending = self._loop, self._pending
        if loop is not None and pending is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(pending.cancel)

    def _end_loop(self) -> None:
        loop, self._loop = self._loop, None
        if loop is None:
            return
        pool = getattr(loop, "_default_executor", None)
        self._helpers = threads_of(pool) if pool is not None else []
        hung.end_loop(loop, CANCEL)


def _without_loop(headline: str) -> WorkerLost:
    return WorkerLost(
        worker_errors.lost(
            headline,
            "all tasks of the measurement run on this loop",
            try_next="leave it running. A body may stop and close loops that it has made itself.",
        )
    )


def _time_stands_still() -> bool:
    before = time.monotonic()  # the clock that asyncio uses, not one of our own
    CLOCKS.sleep(0.05)
    return time.monotonic() == before


def _add_note(error: BaseException, note: str) -> None:
    error.__notes__ = [*getattr(error, "__notes__", ()), note]  # type: ignore[attr-defined]  # as add_note() of 3.11 does
