"""Starts a loop monitor only for event loops that run for a while.

Most loops of a suite run for microseconds, and starting a monitor would take longer than that. Event-loop blocks in the
first milliseconds of a loop are not seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator

from pytest_concurrency.instruments.loop_monitor import LoopMonitor
from pytest_concurrency.instruments.loop_watcher import LoopWatcher
from pytest_concurrency.machine.clocks import CLOCKS

_REST = 3  # periods between two looks if all loops have a monitor; a new one is not late before 3.6 of them


class _Run:
    """One run of a loop. It is made in the loop's thread."""

    __slots__ = ("begun", "ended", "ident", "loop", "monitor", "native_id", "started")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.begun = CLOCKS.wall()
        self.ident = threading.get_ident()
        self.native_id = threading.get_native_id()
        self.monitor: LoopMonitor | None = None
        self.started = self.ended = False

    def start(self) -> None:
        """Start the monitor, if there is one. This runs in the loop's thread."""
        if self.monitor is not None and not self.ended and not self.started:
            self.started = True
            self.monitor.start(self.loop)


class LateStart:
    """Follows the runs of event loops, and gives a monitor to each that lasts longer than a sampling period.

    :param watcher: its thread calls :meth:`look`.
    :param make: makes a monitor.
    """

    def __init__(self, watcher: LoopWatcher, make: Callable[[], LoopMonitor]) -> None:
        self._watcher = watcher
        self._make = make
        self._runs: dict[int, _Run] = {}  # by the ident of the loop's thread

    def covers(self, ident: int) -> bool:
        """Whether a run of a loop in that thread is followed."""
        return ident in self._runs

    @contextlib.contextmanager
    def running(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Follow a run of a loop, which lasts as long as the ``with`` block, in this thread."""
        run = _Run(loop)
        around = self._runs.get(run.ident)  # a loop may run within another one of its thread (nest_asyncio)
        self._runs[run.ident] = run
        self._watcher.add(self)
        try:
            yield
        finally:
            self._watcher.discard(self)
            if around is None:
                del self._runs[run.ident]
            else:
                self._runs[run.ident] = around
            if run.monitor is not None:
                run.start()  # without this, the block of a loop that was blocked up to its end would be lost
                run.monitor.stop()
            run.ended = True

    def look(self, now: float, period: float) -> float:
        """Give a monitor to each loop that has run for a period. The watcher's thread calls this."""
        runs = list(self._runs.values())
        for run in runs:
            if run.monitor is None and now - run.begun >= period:
                monitor = self._make()
                monitor.prepare(run.ident, run.native_id)
                run.monitor = monitor
                # A loop that has just ended found no monitor to stop. Without this, the watcher would keep the monitor.
                if self._runs.get(run.ident) is not run:
                    self._watcher.discard(monitor)
                with contextlib.suppress(RuntimeError):  # the loop is closed
                    run.loop.call_soon_threadsafe(run.start)
        return period if any(run.monitor is None for run in runs) else _REST * period
