"""Batches on the event loop that an async plugin runs, while the measuring code runs in a thread of its own.

The async plugin awaits :meth:`BorrowedLoop.serve` instead of the test. Fixtures and body therefore share one loop, and
objects that are bound to it (a connection, a lock, a queue) work in the body.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from contextvars import copy_context
from typing import Any

from pytest_concurrency.backends.base import Hung, Raised
from pytest_concurrency.core.model import Reading, Sample
from pytest_concurrency.machine import stack_locations
from pytest_concurrency.machine.originals import Event, Lock, Semaphore, Thread
from pytest_concurrency.probes.thread_clock import ThreadClock

_CLOSING = 10.0  # seconds that the measuring thread gets to end its workers when the loop has ended
_CALL_POLL = 0.1  # seconds between checks whether the loop has ended, while waiting for a call in it

Job = Callable[[], Coroutine[Any, Any, None]]

__tracebackhide__ = True  # without this, an exception of a body is shown below frames of this module


class Abandoned(BaseException):
    """Ends the measuring thread, because the loop no longer runs its batches."""


class Request:
    """One batch that the loop is to run, and its answer."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.cancel: Callable[[], object] | None = None  # to be called in the loop's thread
        self.answer: Reading | BaseException | None = None
        self.answered: threading.Semaphore = Semaphore(0)
        self.given_up = False  # whether its time was over before the loop began it


class BorrowedLoop(ABC):
    """Hands batches from the measuring thread to the event loop of an async plugin."""

    name: str  # what kind of loop it is
    has_loose_tasks = False  # whether a task may outlive the task that created it, as in asyncio

    def __init__(self) -> None:
        """Must be called in the loop's thread, by code that runs on the loop."""
        self._lock = Lock()
        self._engine: threading.Thread | None = None
        self._current: Request | None = None
        self._abandoned = False
        self._error: BaseException | None = None
        self._ident = threading.get_ident()
        self.native_id: int = threading.get_native_id()  # of the thread that runs the loop, and so the test body

    async def serve(self, work: Callable[[], None]) -> None:
        """Run ``work`` in a thread and its batches on this loop; if ``work`` raises an exception, raise it here."""
        __tracebackhide__ = True
        clock = ThreadClock()
        self._engine = Thread(
            target=copy_context().run, args=(self._measure, work), name="concurrency-measuring", daemon=True
        )
        self._engine.start()
        try:
            idle_delay = clock.delay()
            while (request := await self._receive()) is not None:
                if not request.given_up:
                    await self._do(request, clock, idle_delay)
                request.answered.release()
                idle_delay = clock.delay()
        finally:
            # Without this, the measuring thread could outlive a test that Ctrl-C or a timeout has cancelled.
            self.abandon()
            clock.close()
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # otherwise the error and its traceback form a reference cycle

    def abandon(self) -> None:
        """End the measuring thread: its next request raises Abandoned. Safe to call at any time, and twice."""
        with self._lock:
            self._abandoned = True
            request = self._current
        if request is not None:
            request.answered.release()
        if self._engine is not None:
            self._engine.join(_CLOSING)

    def run(self, job: Job, deadline: float) -> Reading | BaseException | None:
        """From the measuring thread: run one batch; return its reading, its exception, or None if it took too long.

        :raises Abandoned: the loop has ended.
        """
        request = Request(job)
        with self._lock:
            if self._abandoned:
                raise Abandoned
            self._current = request
        self._call_soon(self._send, request)
        in_time = request.answered.acquire(timeout=deadline)
        request.given_up = not in_time and request.cancel is None
        if self._abandoned:
            raise Abandoned
        return request.answer if in_time else None

    def cancel(self, seconds: float) -> None:
        """From the measuring thread: cancel the batch that is late, and wait up to ``seconds`` for its end."""
        request = self._current
        if request is not None and request.cancel is not None and not self._abandoned:
            self._call_soon(request.cancel)
            request.answered.acquire(timeout=seconds)

    @property
    def in_main_thread(self) -> bool:
        """Whether the loop runs in the process's main thread, the only one in which signals can be handled."""
        return self._ident == threading.main_thread().ident

    def call(self, function: Callable[[], object]) -> None:
        """From the measuring thread: call a plain function in the loop's thread, and wait until it has returned.

        :raises Abandoned: the loop has ended.
        """
        done, problems = Event(), list[BaseException]()

        def run() -> None:
            try:
                function()
            except BaseException as error:  # it would end Trio's loop, and asyncio would only log it
                problems.append(error)
            finally:
                done.set()

        self._call_soon(run)
        while not done.wait(_CALL_POLL):
            if self._abandoned:
                raise Abandoned
        if problems:
            raise problems[0]

    def stack(self) -> tuple[stack_locations.Place, ...] | None:
        """Return the current stack of the loop's thread, innermost frame first; None if the thread has ended."""
        return stack_locations.of_thread(self._ident)

    def _measure(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Abandoned:
            pass
        except BaseException as error:  # a verdict, an outcome of pytest, or an exception of the body
            self._error = error
        finally:
            with contextlib.suppress(Abandoned):
                self._call_soon(self._send, None)

    @abstractmethod
    def _call_soon(self, call: Callable[..., object], *args: Any) -> None:
        """From any thread: schedule a call in the loop; raise Abandoned if the loop is closed."""

    @abstractmethod
    def _send(self, request: Request | None) -> None:
        """In the loop's thread: make :meth:`_receive` return ``request``."""

    @abstractmethod
    async def _receive(self) -> Request | None: ...

    @abstractmethod
    async def _do(self, request: Request, clock: ThreadClock, idle_delay: float | None) -> None:
        """Run a batch that ``request.cancel`` can end, and put its reading or exception into the request."""


class BorrowedAsyncioLoop(BorrowedLoop):
    """Borrows asyncio's event loop, or a replacement such as uvloop."""

    has_loose_tasks = True

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._requests: asyncio.Queue[Request | None] = asyncio.Queue()
        kind = type(self._loop)
        self.name: str = f"{kind.__module__.partition('.')[0]}.{kind.__name__.removeprefix('_')}"

    def _call_soon(self, call: Callable[..., object], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *args)
        except RuntimeError:  # the loop is closed
            raise Abandoned from None

    def _send(self, request: Request | None) -> None:
        self._requests.put_nowait(request)

    async def _receive(self) -> Request | None:
        return await self._requests.get()

    async def _do(self, request: Request, clock: ThreadClock, idle_delay: float | None) -> None:
        async def batch() -> None:
            begun = clock.begin()
            try:
                await request.job()
            except (KeyboardInterrupt, SystemExit) as error:  # these would stop the loop
                request.answer = error
            else:
                request.answer = clock.finish(begun, idle_delay)

        # The batch needs a task of its own. Otherwise, cancelling a batch would cancel the test, too.
        task = asyncio.ensure_future(batch())
        request.cancel = task.cancel
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            raise
        if request.answer is None:
            request.answer = asyncio.CancelledError() if task.cancelled() else task.exception()


class BorrowedLoopWorker:
    """A borrowed loop with the interface of a worker group that has one worker."""

    def __init__(self, loop: BorrowedLoop, jobs: dict[str, Job]) -> None:
        self._loop = loop
        self._jobs = jobs

    def run(self, workers: int, loops: int, deadline: float, job: str = "body", turns: int = 1) -> Sample:
        """Run a job once. ``turns`` is not used, because the job itself knows which workers' bodies it runs.

        :raises Raised: the job raised.
        :raises Hung: the job did not end in time.
        """
        answer = self._loop.run(self._jobs[job], deadline)
        if answer is None:
            stands = self._loop.stack()
            raise Hung("tasks", workers, deadline, ["ended" if stands is None else stack_locations.describe(stands)])
        if isinstance(answer, BaseException):
            raise Raised(answer, "tasks", 0, workers)
        return Sample(loops, (answer,))

    @property
    def native_ids(self) -> Sequence[int]:
        """Native ID of the loop's thread."""
        return (self._loop.native_id,)

    def stacks(self, workers: int) -> Sequence[Sequence[stack_locations.Place]]:
        """Return the current stack of the loop's thread."""
        return [self._loop.stack() or ()]

    def recover(self, seconds: float) -> None:
        """Cancel a job that was late, so that the loop can continue."""
        self._loop.cancel(seconds)

    def close(self) -> None:
        """Leave the loop as it is: the async plugin closes it."""
