"""Back-end of Trio tasks, for tests that an async plugin runs on Trio."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import trio

from pytest_concurrency.backends.base import Hung, Raised
from pytest_concurrency.backends.batch import await_as
from pytest_concurrency.backends.event_loops.borrowed_loop import Abandoned, BorrowedLoop, BorrowedLoopWorker, Request
from pytest_concurrency.backends.event_loops.loop_workers import CANCEL, LoopWorkers
from pytest_concurrency.core.model import Body, Sample
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes.loop_heartbeat import LoopHeartbeat
from pytest_concurrency.probes.thread_clock import ThreadClock


class BorrowedTrioLoop(BorrowedLoop):
    """Borrows Trio's loop."""

    name = "trio"

    def __init__(self) -> None:
        """:raises RuntimeError: the caller is not a task of Trio."""
        super().__init__()
        self._token = trio.lowlevel.current_trio_token()
        self._sending, self._receiving = trio.open_memory_channel[Request | None](math.inf)

    def _call_soon(self, call: Callable[..., object], *args: Any) -> None:
        try:
            self._token.run_sync_soon(call, *args)
        except trio.RunFinishedError:
            raise Abandoned from None

    def _send(self, request: Request | None) -> None:
        self._sending.send_nowait(request)

    async def _receive(self) -> Request | None:
        request: Request | None = await self._receiving.receive()
        return request

    async def _do(self, request: Request, clock: ThreadClock, idle_delay: float | None) -> None:
        with trio.CancelScope() as scope:
            request.cancel = scope.cancel
            begun = clock.begin()
            try:
                await request.job()
            except trio.Cancelled:
                raise
            except BaseException as error:
                request.answer = _alone(error)
            else:
                request.answer = clock.finish(begun, idle_delay)


def _alone(error: BaseException) -> BaseException:
    """Return the only exception of a group, such as Ctrl-C in the group that our own nursery has put it into."""
    members: Sequence[BaseException] = getattr(error, "exceptions", ())
    return _alone(members[0]) if len(members) == 1 else error


class _Failed(Exception):
    """Says that a task raised an exception; it is raised after the nursery, which would put it into a group."""


class TrioWorkers(LoopWorkers):
    """Runs batches as tasks of one nursery."""

    note = "the test's own event loop, Trio's"

    def __init__(self, body: Body, borrowed_loop: BorrowedLoop) -> None:
        super().__init__(body)
        self._failure: tuple[int, BaseException] | None = None
        self._thread = BorrowedLoopWorker(borrowed_loop, self._jobs)

    def _run_job(self, workers: int, deadline: float, job: str) -> Sample:
        self._failure = None
        try:
            return self._thread.run(1, 1, deadline, job)
        except Raised as raised:
            index, error = self._failure or (0, raised.error)
            if isinstance(error, KeyboardInterrupt):
                raise error from None  # the test's loop is in the main thread, so it may be Ctrl-C
            raise Raised(error, "tasks", index, workers) from None
        except Hung as hung:
            self._thread.recover(CANCEL)
            raise Hung("tasks", workers, deadline, [hung.places[0]] * workers) from None

    def close(self) -> None:
        """Leave the loop as it is: the async plugin closes it."""

    async def _batch(self) -> None:
        async with trio.open_nursery() as nursery:
            for index in range(len(self._bodies)):
                nursery.start_soon(self._one, index, nursery.cancel_scope)
        if self._failure is not None:
            raise _Failed

    async def _body_beside_beat(self) -> None:
        async with trio.open_nursery() as nursery:
            with LoopHeartbeat(_Timers(nursery)) as beat:
                await self._one(0, nursery.cancel_scope)
                await trio.lowlevel.checkpoint()  # the body's last step may still delay the beat
            nursery.cancel_scope.cancel()
        self.block = beat.result()
        if self._failure is not None:
            raise _Failed

    async def _one(self, index: int, together: trio.CancelScope) -> None:
        try:
            self._each = await await_as(self._call, self._loops, self._bodies[index])
            self._ends[index] = CLOCKS.wall()
        except trio.Cancelled:
            raise
        except BaseException as error:  # pytest's outcomes, SystemExit: all are the body's answer
            if self._failure is None:
                self._failure = (index, error)
            together.cancel()


class _Timers:
    """The ``call_later`` that LoopHeartbeat needs, made of Trio's tasks."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery

    def call_later(self, seconds: float, call: Callable[[], None]) -> trio.CancelScope:
        scope = trio.CancelScope()

        async def later() -> None:
            with scope:
                await trio.sleep(seconds)
                call()

        self._nursery.start_soon(later)
        return scope
