"""Starts monitors for those loops only that run for a while: most loops of a suite run for microseconds.

A monitor costs a loop more to start than such a run takes. What a loop does in its first milliseconds is not seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator

from pytest_concurrency.instruments.loop_monitor import LoopMonitor
from pytest_concurrency.instruments.loop_watcher import LoopWatcher
from pytest_concurrency.machine.clocks import CLOCKS

_REST = 1.0  # seconds without a loop after which the watcher's thread sleeps: waking it up costs more than its looks


class _Run:
    """One run of a loop, made in its thread."""

    __slots__ = ("begun", "ended", "ident", "loop", "monitor", "native_id", "started")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.begun = CLOCKS.wall()
        self.ident = threading.get_ident()
        self.native_id = threading.get_native_id()
        self.monitor: LoopMonitor | None = None
        self.started = self.ended = False

    def start(self) -> None:
        """In the thread of the loop: let the monitor take over."""
        if self.monitor is not None and not self.ended and not self.started:
            self.started = True
            self.monitor.start(self.loop)


class LateStart:
    """Looked after by a watcher's thread.

    :param make: makes a monitor.
    """

    def __init__(self, watcher: LoopWatcher, make: Callable[[], LoopMonitor]) -> None:
        self._watcher = watcher
        self._make = make
        self._runs: dict[int, _Run] = {}  # by the ident of the loop's thread
        self._is_watched = False
        self._last = 0.0

    def covers(self, ident: int) -> bool:
        """Whether a loop of that thread is looked after."""
        return ident in self._runs

    @contextlib.contextmanager
    def running(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Look after a loop that runs in this context, in this thread."""
        run = self._runs[threading.get_ident()] = _Run(loop)
        if not self._is_watched:
            self._is_watched = True
            self._last = run.begun
            self._watcher.add(self)
        try:
            yield
        finally:
            del self._runs[run.ident]
            if run.monitor is not None:
                run.start()  # it was blocked up to its end
                run.monitor.stop()
            run.ended = True

    def look(self, now: float, period: float) -> float:
        """From the watcher's thread: give those a monitor that have run for a while."""
        for run in list(self._runs.values()):
            self._last = now
            if run.monitor is None and now - run.begun >= period:
                monitor = self._make()
                monitor.prepare(run.ident, run.native_id)
                run.monitor = monitor
                if self._runs.get(run.ident) is not run:  # the loop has just ended, and saw no monitor to stop
                    self._watcher.discard(monitor)
                with contextlib.suppress(RuntimeError):  # it is closed
                    run.loop.call_soon_threadsafe(run.start)
        if now - self._last > _REST:
            self._is_watched = False
            self._watcher.discard(self)
        return period
