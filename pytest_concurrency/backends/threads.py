"""Back-end of worker threads, which are started once per test and kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import Any

from pytest_concurrency.backends.base import Hung, WorkerGroup, not_started, raised_by
from pytest_concurrency.backends.batch import bodies_of, run_batch
from pytest_concurrency.backends.hung import STAYS, interrupt
from pytest_concurrency.core.errors import WorkerLost
from pytest_concurrency.core.model import Reading, Sample
from pytest_concurrency.machine import stack_locations
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.originals import Lock, Thread
from pytest_concurrency.probes import thread_clock
from pytest_concurrency.probes.thread_clock import ThreadClock
from pytest_concurrency.verdicts import worker_errors

__tracebackhide__ = True  # pytest shows a failure at the line of the test

_CLOSING = 1.0  # seconds that an idle thread gets to end


class ThreadWorkers(WorkerGroup):
    """Threads that each wait for a lock of their own, and run a batch when it is released.

    One thread that holds the GIL releases the locks one after the other, so that the workers start together. Without a
    GIL they start some microseconds apart, which their clock readings show.
    """

    def __init__(self, jobs: dict[str, Callable[[], Any]], count: int, backend: str = "threads") -> None:
        thread_clock.require()
        self._jobs = jobs
        self._backend = backend
        self._task: tuple[Callable[[], Any], int, int, int] | None = None
        self._answers: list[Reading | BaseException | None] = [None] * count
        self._start_locks = [Lock() for _ in range(count)]
        self._awaited = [False] * count  # whether the running batch still waits for a worker's answer
        self._ends: list[BaseException | None] = [None] * count  # what ended a thread outside of the body
        self._clocks: list[ThreadClock | None] = [None] * count
        self._counting = Lock()
        self._open_answers = 0
        self._all_done = Lock()  # released after the last answer of a batch
        self._broken = False
        for start_lock in (*self._start_locks, self._all_done):
            start_lock.acquire()
        self._threads: list[threading.Thread] = []
        try:
            for index in range(count):
                self._start(index)
        except BaseException as error:
            self.close()
            if not isinstance(error, RuntimeError):  # "can't start new thread"
                raise
            raise not_started(
                f"{backend}: worker {len(self._threads) + 1} of {count} could not be started.", error
            ) from None

    @property
    def idents(self) -> list[int | None]:
        return [thread.ident for thread in self._threads]

    @property
    def native_ids(self) -> list[int]:
        return [thread.native_id for thread in self._threads if thread.native_id]

    def stacks(self, workers: int) -> list[Sequence[stack_locations.Place]]:
        """Return the current stack of each thread; it is empty for a thread that has ended."""
        return [stack_locations.of_thread(thread.ident) or () for thread in self._threads[:workers]]

    def run(self, workers: int, loops: int, deadline: float, job: str = "body", turns: int = 1) -> Sample:
        """Run one batch on the first ``workers`` threads; ``deadline`` is in seconds.

        :raises Raised: the body's own exception, with the worker that it came from.
        :raises Hung: some worker did not answer in time.
        """
        assert not self._broken, "a worker group with a hung worker cannot be used again"
        self._task = (self._jobs[job], loops, workers, turns)
        with self._counting:  # a thread that has ended is found here; one that ends later marks itself done
            for index in range(workers):
                if self._ends[index] is not None:
                    raise self._ended(index, workers)
            self._open_answers = workers
            for index in range(workers):
                self._answers[index] = None
                self._awaited[index] = True
        try:
            for index in range(workers):
                self._start_locks[index].release()
            in_time = self._all_done.acquire(timeout=deadline)
        except BaseException:  # Ctrl-C, or a timeout of the test: the workers still run the batch
            self._broken = True
            raise
        if not in_time:
            self._broken = True
        return Sample(loops, tuple(self._readings(workers, None if in_time else deadline)))

    def _readings(self, workers: int, missed: float | None) -> list[Reading]:
        """Return the answers of a batch; ``missed`` is the deadline in seconds if some worker has not answered."""
        places = [] if missed is None else self._stack_location(workers)
        readings: list[Reading] = []
        errors: dict[int, BaseException] = {}
        for index, answer in enumerate(self._answers[:workers]):
            if isinstance(answer, BaseException):
                errors[index] = answer
                self._answers[index] = None  # otherwise, it would keep what its frames hold
            elif answer is not None:
                readings.append(answer)
        if errors:
            raise raised_by(errors, self._backend, workers, places)
        if missed is not None:
            raise Hung(self._backend, workers, missed, places, note=STAYS)
        for index in range(workers):
            if self._answers[index] is None:
                raise self._ended(index, workers)
        return readings

    def recover(self, seconds: float) -> None:
        """Give a batch that was late some more time to end, so that the group can be closed."""
        if self._broken and self._all_done.acquire(timeout=seconds):
            self._broken = False

    def close(self) -> None:
        """End the threads. One that hangs in native code is abandoned, because it cannot be ended from outside."""
        self._task = None
        for start_lock in self._start_locks:
            if start_lock.locked():
                start_lock.release()
        limit = CLOCKS.wall() + _CLOSING
        for thread in self._threads:
            thread.join(max(0.0, limit - CLOCKS.wall()))
        hanging = [thread for thread in self._threads if thread.is_alive()]
        for thread in hanging:
            interrupt(thread)  # one that still computes would disturb every later measurement
        for thread in hanging:
            thread.join(_CLOSING / len(hanging))
        for thread, clock in zip(self._threads, self._clocks, strict=False):
            if thread.is_alive() and clock is not None:
                clock.close()  # the thread stays, but the file of its clock can be closed

    def _start(self, index: int) -> None:
        # In a copy of the test's context, the body sees what fixtures set, and its own changes do not reach the test.
        thread = Thread(
            target=copy_context().run,
            args=(self._live, index),
            name=f"concurrency-{self._backend}-{index}",
            daemon=True,
        )
        thread.start()
        self._threads.append(thread)

    def _ended(self, index: int, workers: int) -> WorkerLost:
        self._broken = True
        return WorkerLost(
            worker_errors.lost(
                f"{self._backend}: worker {index + 1} of {workers} was ended from outside while it waited for work.",
                self._ends[index] or "",
                try_next="look for what raises exceptions in other threads: a library for time limits, or a call of "
                "PyThreadState_SetAsyncExc.",
            )
        )

    def _live(self, index: int) -> None:
        try:
            self._serve(index)
        except BaseException as error:  # an exception of the body is an answer, and does not arrive here
            with self._counting:
                self._ends[index] = error
            self._count_off(index)  # otherwise run() would wait for this worker until the deadline

    def _count_off(self, index: int) -> None:
        with self._counting:
            if not self._awaited[index]:
                return
            self._awaited[index] = False
            self._open_answers -= 1
            last = self._open_answers == 0
        if last:
            self._all_done.release()

    def _serve(self, index: int) -> None:
        self._clocks[index] = clock = ThreadClock()
        start_lock = self._start_locks[index]
        try:
            while True:
                idle_delay = clock.delay()
                start_lock.acquire()
                task = self._task
                if task is None:
                    return
                call, loops, workers, turns = task
                bodies = bodies_of(index, workers, self._backend, turns)
                answer: Reading | BaseException
                try:
                    answer = run_batch(call, loops, clock, idle_delay, bodies)
                except BaseException as error:  # pytest's outcomes, SystemExit: all are the body's answer
                    answer = error
                self._answers[index] = answer
                del task, call, answer
                self._count_off(index)
        finally:
            clock.close()

    def _stack_location(self, workers: int) -> list[str]:
        found = []
        for index in range(workers):
            if self._answers[index] is not None:
                found.append(worker_errors.FINISHED)
                continue
            stands = stack_locations.of_thread(self._threads[index].ident)
            found.append("ended" if stands is None else stack_locations.describe(stands))
        return found
