"""The bench of two async callables: both run on the event loop that the test itself runs on."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

from pytest_concurrency.backends.base import Hung, Raised
from pytest_concurrency.backends.batch import LEFT_BEHIND, SAYING_SO
from pytest_concurrency.backends.event_loops.borrowed_loop import BorrowedLoop, BorrowedLoopWorker
from pytest_concurrency.backends.lazy_results import refuse_lazy
from pytest_concurrency.core.errors import BadArgument, WorkerLost
from pytest_concurrency.core.leftovers import Leftover
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.machine.full_collections import FULL_COLLECTIONS
from pytest_concurrency.machine.priority import ORDINARY, Priority
from pytest_concurrency.measurement.callable_bench import NAMES, CallableBench
from pytest_concurrency.probes.left_tasks import LeftTasks
from pytest_concurrency.probes.leftovers import Leftovers
from pytest_concurrency.probes.process_usage import ProcessUsage
from pytest_concurrency.verdicts import worker_errors

__tracebackhide__ = True  # pytest shows a failure at the line of the test
_CANCEL = 1.0  # seconds that a cancelled call gets to end
_PATIENCE = 20  # times the expected time of a batch before it is given up


def bench_for(
    baseline: Callable[[], Any],
    candidate: Callable[[], Any],
    loop: BorrowedLoop | None,
    patience: float,
    higher: Priority,
) -> CallableBench:
    """Return the bench of two callables: on the event loop that the test runs on, or else in the calling thread."""
    if loop is None:
        return CallableBench(baseline, candidate, higher)
    return LoopCallableBench(baseline, candidate, loop, patience, higher)


class LoopCallableBench(CallableBench):
    """Runs each batch as one task on a borrowed event loop; the measuring itself has a thread of its own."""

    def __init__(
        self,
        baseline: Callable[[], Coroutine[Any, Any, Any]],
        candidate: Callable[[], Coroutine[Any, Any, Any]],
        loop: BorrowedLoop,
        patience: float,
        higher: Priority = ORDINARY,
    ) -> None:
        """:param patience: seconds that a batch gets at least before it counts as hung."""
        super().__init__(baseline, candidate, higher, Leftovers(loop.native_id))
        self._loop = loop
        self._patience = patience
        self._tasks = LeftTasks() if loop.has_loose_tasks else None

    def note(self, setup: WorkerSetup) -> str:
        return f"both run on the test's own event loop, {self._loop.name}"

    def _call(self, which: int) -> Any:
        found: list[Any] = []

        async def once() -> None:
            with self._recording():
                found.append(await self._calls[which]())

        try:
            self._on_loop(which, once, 1)
        except Raised as raised:
            raise raised.error from raised.error.__cause__
        return found[0]

    def _run(self, which: int, loops: int, usage: ProcessUsage) -> None:
        call = self._calls[which]

        async def batch() -> None:
            answer = None
            with self._recording(), FULL_COLLECTIONS.postponed(), self._raised(usage), usage:
                for _ in range(loops):
                    answer = await call()
            refuse_lazy(answer, usage.reading.wall / loops)

        try:
            self._on_loop(which, batch, loops)
        except Raised as raised:
            if isinstance(raised.error, BadArgument):
                raise raised.error from None
            raise
        FULL_COLLECTIONS.catch_up()  # in this thread: in the loop's, it would block the user's event loop

    def _recording(self) -> AbstractContextManager[object]:
        """Record the tasks that one call of each callable creates; these calls are not timed."""
        calls = len(self._calls)
        return nullcontext() if self._tasks is None else self._tasks.first_calls(calls)

    def _left_elsewhere(self) -> Iterator[Leftover]:
        if self._tasks is None:
            return
        found: list[Leftover] = []

        async def look() -> None:
            assert self._tasks is not None
            found.extend(await self._tasks.found())

        with suppress(Raised, WorkerLost):  # the verdict does not depend on it
            BorrowedLoopWorker(self._loop, {LEFT_BEHIND: look}).run(1, 1, SAYING_SO, LEFT_BEHIND)
        yield from found

    def _on_loop(self, which: int, job: Callable[[], Coroutine[Any, Any, None]], loops: int) -> None:
        """Run a job on the loop, and wait for its end.

        :raises Raised: one of the two callables raised.
        :raises WorkerLost: the job did not end in time.
        """
        worker = BorrowedLoopWorker(self._loop, {"batch": job})
        expected = self._seconds[which] * loops if self._seconds else 0.0
        deadline = max(self._patience, _PATIENCE * expected)
        try:
            worker.run(1, 1, deadline, "batch")
        except Raised as raised:
            if isinstance(raised.error, KeyboardInterrupt):
                raise raised.error from None  # the test's loop is in the main thread, so it may be Ctrl-C
            raised.worker, raised.round = NAMES[which], self._number
            raise
        except Hung as hung:
            worker.recover(_CANCEL)
            lost = WorkerLost(worker_errors.hung_callable(NAMES[which], deadline, hung.places[0]))
            lost.round = self._number
            raise lost from None
