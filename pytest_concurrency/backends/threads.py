"""Worker threads, made once per test and kept."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from pytest_concurrency.backends import places
from pytest_concurrency.backends.base import Hung, Raised
from pytest_concurrency.backends.job import Worker, current_worker, run_batch
from pytest_concurrency.clocks import CLOCKS
from pytest_concurrency.model import Reading, Sample
from pytest_concurrency.probes.thread_state import ThreadClock

_GOODBYE = 1.0  # seconds that an idle thread gets to end


class ThreadCrew:
    """Threads that wait, each for its own lock, and run a batch when it is opened.

    The locks are opened one after the other by one thread that holds the GIL, so that the workers
    start together; without a GIL they start some microseconds apart, which their stamps show.
    """

    note = ""
    one_interpreter = True
    one_process = True
    cpus = None

    def __init__(self, jobs: dict[str, Callable[[], Any]], count: int, backend: str = "threads") -> None:
        self._jobs = jobs
        self._backend = backend
        self._task: tuple[Callable[[], Any], int, int] | None = None
        self._answers: list[Reading | BaseException | None] = [None] * count
        self._doors = [threading.Lock() for _ in range(count)]
        self._counting = threading.Lock()
        self._open_answers = 0
        self._all_done = threading.Semaphore(0)
        self._broken = False
        for door in self._doors:
            door.acquire()
        # Each thread in a copy of the test's context: what fixtures have set there is seen, and not reset.
        self._threads = [
            threading.Thread(
                target=copy_context().run, args=(self._live, index), name=f"concurrency-{backend}-{index}", daemon=True
            )
            for index in range(count)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def idents(self) -> list[int | None]:
        return [thread.ident for thread in self._threads]

    def run(self, workers: int, loops: int, deadline: float, job: str = "body") -> Sample:
        """Run one batch on the first ``workers`` threads; ``deadline`` is in seconds.

        :raises Raised: the body's own exception, with the worker that it came from.
        :raises Hung: some worker did not answer in time.
        """
        assert not self._broken, "a crew with a hung worker cannot be used again"
        self._task = (self._jobs[job], loops, workers)
        self._open_answers = workers
        for index in range(workers):
            self._answers[index] = None
        for index in range(workers):
            self._doors[index].release()
        if not self._all_done.acquire(timeout=deadline):
            self._broken = True
            raise Hung(self._backend, workers, deadline, self._whereabouts(workers))
        readings: list[Reading] = []
        for index in range(workers):
            answer = self._answers[index]
            if isinstance(answer, BaseException):
                self._answers[index] = None
                raise Raised(answer, self._backend, index, workers)
            assert answer is not None
            readings.append(answer)
        return Sample(loops, tuple(readings))

    def recover(self, seconds: float) -> None:
        """Give a batch that was late some more time to end, so that the crew can be closed."""
        if self._broken and self._all_done.acquire(timeout=seconds):
            self._broken = False

    def close(self) -> None:
        """End the threads. One that hangs in native code is left behind: nothing can end it."""
        self._task = None
        for door in self._doors:
            if door.locked():
                door.release()
        limit = CLOCKS.wall() + _GOODBYE
        for thread in self._threads:
            thread.join(max(0.0, limit - CLOCKS.wall()))
        hanging = [thread for thread in self._threads if thread.is_alive()]
        for thread in hanging:
            _stop(thread)
        for thread in hanging:
            thread.join(_GOODBYE / len(hanging))

    def _live(self, index: int) -> None:
        clock = ThreadClock()
        door = self._doors[index]
        try:
            while True:
                idle_delay = clock.delay()
                door.acquire()
                task = self._task
                if task is None:
                    return
                call, loops, workers = task
                current_worker.set(Worker(index, workers, self._backend))
                answer: Reading | BaseException
                try:
                    answer = run_batch(call, loops, clock, idle_delay)
                except BaseException as error:  # pytest's outcomes, SystemExit: all are the body's answer
                    answer = error
                self._answers[index] = answer
                del task, call, answer
                with self._counting:
                    self._open_answers -= 1
                    last = self._open_answers == 0
                if last:
                    self._all_done.release()
        finally:
            clock.close()

    def _whereabouts(self, workers: int) -> list[str]:
        frames = sys._current_frames()
        found = []
        for index in range(workers):
            if self._answers[index] is not None:
                found.append("finished")
                continue
            frame = frames.get(self._threads[index].ident or 0)
            found.append("ended" if frame is None else places.describe(places.of_frame(frame)))
        return found


def _stop(thread: threading.Thread) -> None:
    """Raise SystemExit in a thread that still computes, or it would disturb every later measurement."""
    import ctypes

    with contextlib.suppress(AttributeError):  # an interpreter without the C API
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))
