"""A fair readers-writer lock for the host: ordinary tests are its readers, a measurement is its writer.

Three locks between processes, shared or exclusive:

- ``active``: a test holds it shared while it runs, a measurement holds it exclusively;
- ``waiting``: a test that finds a measurement active holds it shared until it runs. A measurement takes it exclusively
  before it takes ``active``, so it comes after all tests that an earlier measurement has held up;
- ``next``: the measurement that comes next holds it, so one that has just ended comes after it.

A waiting measurement keeps further tests from starting: SQLite grants no shared lock while a connection waits for an
exclusive one. So measurements and tests take turns, and neither starves. The turns are fair in time as well: a session
that has held up tests leaves the host to them for as long as its measurement took (``_leave_to_readers``). Without
that, each test of a session waits for a whole measurement of another session.

The term to look up is the readers-writer lock. A "lease" describes how one measurement had it.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_concurrency.core.units import duration
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.session.host.file_lock import FileLock, Unavailable

# Set while a session takes part. A session that one of its tests starts does not take part: it would wait in vain for
# the test, which holds the lock.
VARIABLE = "PYTEST_CONCURRENCY_QUIET_HOST"
_SLICE_MS = 50  # how long SQLite waits in one call, in which no signal is handled
_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.02
_LEAST_PATIENCE = 1.0
_IDLE_POLLS = 3  # the host counts as idle after this many polls without a running test, one longest pause apart

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Lease:
    """Whether one measurement had the host exclusively, after how many seconds, and why not."""

    alone: bool
    waited: float
    reason: str = ""


class HostLock:
    """One process's part in the lock. No wait takes longer than ``patience`` seconds."""

    def __init__(self, folder: Path, patience: float) -> None:
        self._active = FileLock(folder / "active.db")
        self._waiting = FileLock(folder / "waiting.db")
        self._next = FileLock(folder / "next.db")
        self._readers, self._writers = _Patience(patience), _Patience(patience)
        self._process = os.getpid()
        self._test_runs = False
        self._threads = threading.Lock()
        self._nested = 0  # measurements in this process, nested or in several threads
        self._lease = Lease(False, 0.0)
        self._began = 0.0
        self._leave_until = 0.0  # when the tests that the last measurement held up have had as long as it took
        self._failure = ""
        self.waited: float = 0.0  # seconds that this process has waited for others, in total

    def enter(self, progress: Progress | None = None) -> None:
        """Begin an ordinary test: at once, or after the measurement that is active."""
        self._test_runs = True
        self._share(progress)

    def leave(self) -> None:
        """End an ordinary test."""
        self._test_runs = False
        if os.getpid() == self._process:
            self._active.release()

    def begin(self, progress: Progress | None = None) -> Lease:
        """Begin to measure: no other test that takes part runs until the end, except one that takes too long to end."""
        if os.getpid() != self._process:
            return Lease(False, 0.0, "the test runs in a process that was forked for it")
        with self._threads:
            if not self._nested:
                self._lease = self._take(progress)
                self._began = CLOCKS.wall()
                self.waited += self._lease.waited
            self._nested += 1
            return self._lease

    def end(self) -> None:
        """End the measurement."""
        if os.getpid() != self._process:
            return
        with self._threads:
            self._nested -= 1
            if not self._nested:
                now = CLOCKS.wall()
                self._leave_until = 2 * now - self._began if self._readers_wait() else 0.0
                self._active.release()
                if self._test_runs:  # the rest of the test is ordinary
                    self._share()

    @contextlib.contextmanager
    def alone(self, progress: Progress | None = None) -> Iterator[Lease]:
        """Measure in a ``with`` block."""
        lease = self.begin(progress)
        try:
            yield lease
        finally:
            self.end()

    def close(self) -> None:
        """Release everything, at the end of the session."""
        if os.getpid() == self._process:
            for lock in (self._active, self._waiting, self._next):
                lock.close()

    def _share(self, progress: Progress | None = None) -> None:
        with self._noting_failures():
            if self._failure:
                return
            if self._active.share():
                self._readers.note(succeeded=True)
                return
            wait, registered = _Wait(self._readers.limit, "a measurement to end"), False
            shared = False
            try:
                while not wait.over and not (shared := self._active.share()):
                    registered = registered or self._waiting.share()
                    wait.pause(progress)
            finally:
                self.waited += wait.seconds
                if registered:
                    self._waiting.release()
            # If a session is stopped while it measures, each later test waits for a shorter time than the first.
            self._readers.note(succeeded=shared)

    def _take(self, progress: Progress | None) -> Lease:
        wait = _Wait(self._writers.limit, "exclusive host access")
        alone = False
        # Two tests that hold a share while each waits for exclusive access would wait for each other for ever.
        self._active.release()
        with self._noting_failures():
            alone = not self._failure and self._take_active(wait, progress)
            if not alone and not self._failure:
                self._active.share()
        if self._failure:
            return Lease(False, wait.seconds, self._failure)
        self._writers.note(succeeded=alone)
        if alone:
            return Lease(True, wait.seconds)
        return Lease(False, wait.seconds, f"other tests did not end within {duration(wait.limit)}")

    def _take_active(self, wait: _Wait, progress: Progress | None) -> bool:
        try:
            self._leave_to_readers(wait, progress)
            while not self._next.exclude():
                if wait.over:
                    return False
                wait.pause(progress)
            while not self._waiting_have_run():
                if wait.over:
                    return False
                wait.pause(progress)
            while not self._active.exclude(_SLICE_MS):
                if wait.over:
                    return False
                wait.tell(progress)
            return True
        except BaseException:  # a time limit's signal may arrive when the lock has just been taken
            self._active.release()
            raise
        finally:
            self._waiting.release()
            self._next.release()

    def _leave_to_readers(self, wait: _Wait, progress: Progress | None) -> None:
        """Let the tests that the last measurement held up run as long as it took, or until no test runs any more."""
        idle = 0
        while not wait.over and CLOCKS.wall() < self._leave_until and idle < _IDLE_POLLS:
            free = self._active.exclude()
            self._active.release()
            idle = idle + 1 if free else 0
            wait.pause(progress, _LONGEST_PAUSE)
        self._leave_until = 0.0

    def _readers_wait(self) -> bool:
        free = True
        with self._noting_failures():
            free = bool(self._failure) or self._waiting.exclude()
            self._waiting.release()
        return not free

    def _waiting_have_run(self) -> bool:
        """Whether no measurement is active, and all tests that the last one held up have started.

        If so, further tests can no longer register. The shared lock on ``active`` is granted unless a measurement is
        active.
        """
        if not self._waiting.exclude():
            return False
        if self._active.share():
            self._active.release()
            return True
        # While another measurement is active, the tests that it holds up must be able to register.
        self._waiting.release()
        return False

    @contextlib.contextmanager
    def _noting_failures(self) -> Iterator[None]:
        try:
            yield
        except Unavailable as error:
            self._failure = str(error)


class _Patience:
    """How long the next wait may take: less after a wait in vain, because its reason probably still exists."""

    def __init__(self, seconds: float) -> None:
        self._longest = self.limit = seconds

    def note(self, *, succeeded: bool) -> None:
        least = min(_LEAST_PATIENCE, self._longest / 10)
        self.limit = self._longest if succeeded else max(least, self.limit / 10)


class _Wait:
    """A wait with a time limit, in pauses of increasing length."""

    def __init__(self, limit: float, what: str) -> None:
        self.limit = limit
        self._what = what
        self._began = CLOCKS.wall()
        self._pause = _FIRST_PAUSE

    @property
    def seconds(self) -> float:
        return CLOCKS.wall() - self._began

    @property
    def over(self) -> bool:
        return self.seconds > self.limit

    def pause(self, progress: Progress | None = None, seconds: float | None = None) -> None:
        self.tell(progress)
        CLOCKS.sleep(self._pause if seconds is None else seconds)
        self._pause = min(self._pause * 1.5, _LONGEST_PAUSE)

    def tell(self, progress: Progress | None) -> None:
        if progress is not None:
            progress(f"waiting {self.seconds:.0f} s for {self._what}")
