"""A thread that samples the stacks of event loops that are late."""

from __future__ import annotations

import _thread
import contextlib
from typing import Protocol

from pytest_concurrency.instruments.stall_clock import StallClock
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.originals import Event, Lock

_REST = 1.0  # seconds with nothing to watch after which the thread sleeps; to wake it up costs more than to let it look
_IDLE = 3  # periods between two looks while there is nothing to watch; a new loop is not late before 3.6 of them
_STEAL_AGE = 0.1  # seconds between two readings of steal time; older steal time cannot explain a late loop
_NO_STEAL_AGE = 0.5  # the same while there is none: a reading takes as much CPU time as four looks
_STEAL_KEPT = 64  # readings; with fewer, a long block would begin before the first one, and steal would be missed


class Watched(Protocol):
    """An object whose :meth:`look` the watcher's thread calls."""

    def look(self, now: float, period: float) -> float:
        """Record where the loop's thread is if the loop is late; return in how many seconds it may be late next."""


class LoopWatcher:
    """Samples loops that are late every ``period`` seconds; after a while with nothing to watch, its thread sleeps.

    The thread is not in ``threading.enumerate()``, because tests count the threads there. Starting it does not wait.
    """

    def __init__(self, period: float) -> None:
        self._period = period
        self._watched: list[Watched] = []
        self._wake = Event()
        self._ended = False
        self._runs = False
        self._starting = Lock()
        self._used = CLOCKS.wall()  # when there was last something to watch
        self.cpu: float = 0.0  # seconds that its thread has computed
        self._steal = [(CLOCKS.wall(), stolen())]  # the last readings of steal time, oldest first
        self.stalls: StallClock = StallClock()

    def add(self, watched: Watched) -> None:
        """Watch an object from now on."""
        self._used = CLOCKS.wall()
        self._watched.append(watched)
        with self._starting:  # two loops that start at once in two threads would start two of these
            if not self._runs:
                _thread.start_new_thread(self._run, ())
                self._runs = True
        self._wake.set()

    def discard(self, watched: Watched) -> None:
        """Stop watching an object."""
        with contextlib.suppress(ValueError):
            self._watched.remove(watched)

    def steal_since(self, time: float) -> float:
        """Return the seconds that the hypervisor has taken from all CPUs since the last reading before ``time``."""
        before = next((steal for at, steal in reversed(self._steal) if at <= time), self._steal[0][1])
        return max(0.0, stolen() - before)

    def close(self) -> None:
        """End the thread."""
        self._ended = True
        self._wake.set()

    def _run(self) -> None:
        try:
            self._watch()
        finally:
            self.stalls.close()

    def _watch(self) -> None:
        pause = self._period
        while not self._ended:
            if not self._watched and CLOCKS.wall() - self._used > _REST:
                self._wake.clear()
                if not self._watched and not self._ended:  # unless add() has run just before clear()
                    self._wake.wait()
            now = self.stalls.sleep(pause)
            watched = list(self._watched)
            if watched:
                self._used = now
            # A loop that has just waited cannot be late for a while, so it is not sampled in each period.
            late_in = min((each.look(now, self._period) for each in watched), default=_IDLE * self._period)
            pause = max(self._period, late_in)
            self.stalls.woke(now)
            (_, before), (last, steal) = self._steal[0], self._steal[-1]
            if now - last > (_STEAL_AGE if steal > before else _NO_STEAL_AGE):
                self._steal = [*self._steal[1 - _STEAL_KEPT :], (now, stolen())]
            self.cpu = CLOCKS.thread_cpu()


def stolen() -> float:
    """Seconds that the hypervisor has taken from all CPUs so far; 0 where that cannot be read."""
    with contextlib.suppress(Exception):
        import psutil

        return float(getattr(psutil.cpu_times(), "steal", 0.0))
    return 0.0
