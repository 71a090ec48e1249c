"""A thread that looks at event loops that are late, and notes where their threads stand."""

from __future__ import annotations

import _thread
import contextlib
import threading
from typing import Protocol

from pytest_concurrency.machine.clocks import CLOCKS


class Watched(Protocol):
    """What the watcher looks at."""

    def look(self, now: float, period: float) -> None:
        """Note where the loop's thread stands, if the loop is late."""


class LoopWatcher:
    """Looks every ``period`` seconds while there is something to watch; sleeps without waking up otherwise.

    The thread is none of ``threading.enumerate()``: tests count those. Starting it waits for nothing.
    """

    def __init__(self, period: float) -> None:
        self._period = period
        self._watched: list[Watched] = []
        self._wake = threading.Event()
        self._ended = False
        self._runs = False
        self.cpu = 0.0  # seconds that its thread has computed

    def add(self, watched: Watched) -> None:
        """Watch it from now on."""
        self._watched.append(watched)
        if not self._runs:
            self._runs = True
            _thread.start_new_thread(self._run, ())
        self._wake.set()

    def discard(self, watched: Watched) -> None:
        """Watch it no longer."""
        with contextlib.suppress(ValueError):
            self._watched.remove(watched)

    def close(self) -> None:
        """End the thread."""
        self._ended = True
        self._wake.set()

    def _run(self) -> None:
        while not self._ended:
            if not self._watched:
                self._wake.clear()
                if not self._watched and not self._ended:  # or one was added before the line above
                    self._wake.wait()
                continue
            CLOCKS.sleep(self._period)
            now = CLOCKS.wall()
            for watched in list(self._watched):
                watched.look(now, self._period)
            self.cpu = CLOCKS.thread_cpu()
