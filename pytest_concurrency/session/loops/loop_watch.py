"""Which event loops of a test are watched: asyncio's as they start, others from within the test's own function."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_concurrency.backends.batch import ALONE, current_worker
from pytest_concurrency.instruments import loop_monitor
from pytest_concurrency.instruments.block_reading import Block
from pytest_concurrency.instruments.late_start import LateStart
from pytest_concurrency.instruments.loop_monitor import LoopMonitor
from pytest_concurrency.instruments.loop_watcher import LoopWatcher
from pytest_concurrency.machine.replaced import Replaced
from pytest_concurrency.session import other_plugins

_BEATS = 4  # in the time that a block may last; each costs about 30 microseconds of CPU time
_LONGEST_BEAT = 0.05  # seconds
_SYNC_LOOPS = asyncio.base_events.BaseEventLoop

__tracebackhide__ = True


class LoopWatch:
    """Collects the blocks of loops that may be longer than ``limit`` seconds.

    :param late: watch only loops that run for some milliseconds, which costs the others hardly anything.
    """

    def __init__(self, limit: float, late: bool = False) -> None:
        self._limit = limit
        self.is_on = True
        self._beat = min(limit / _BEATS, _LONGEST_BEAT)
        self._watcher = LoopWatcher(limit / 8)
        self._monitors: list[LoopMonitor] = []
        self._late = LateStart(self._watcher, self._monitor) if late else None
        self._run_forever = Replaced(_SYNC_LOOPS, "run_forever", self._watching)

    def take(self) -> list[Block]:
        """Return the blocks that were seen since it was called last."""
        monitors, self._monitors = self._monitors, []
        return [block for monitor in monitors for block in monitor.blocks]

    def cpu(self) -> float:
        """Return the CPU time, in seconds, that watching has taken in a thread of its own."""
        return self._watcher.cpu

    def start(self) -> None:
        """Watch the loops of asyncio that start before :meth:`close`.

        Call it once for all tests: each change of a class makes its methods slow for a while, and some versions of
        Python in the end stop caching them.
        """
        self._run_forever.install()

    def _watching(self, run_forever: Callable[..., None]) -> Callable[..., None]:
        watch = self

        @functools.wraps(run_forever)
        def watched(loop: asyncio.BaseEventLoop) -> None:
            if (
                not watch.is_on
                or current_worker.get() != ALONE
                or loop_monitor.monitored()
                or loop.is_running()
                or loop.is_closed()
            ):
                return run_forever(loop)
            if watch._late is not None:
                with watch._late.running(loop):
                    return run_forever(loop)
            # Before it runs: a task that is waiting already would have had its first step.
            monitor = watch._monitor().start(loop)
            try:
                return run_forever(loop)
            finally:
                monitor.stop()

        return watched

    def close(self) -> None:
        """End what watches."""
        self.is_on = False  # for what another library has kept of the replacement
        self._run_forever.restore()
        self._watcher.close()

    @contextlib.contextmanager
    def body_of(self, item: pytest.Item) -> Iterator[None]:
        """Watch the loop that runs a test's own function, whatever kind of loop it is."""
        other_plugins.allow_own_readings(item)
        function = getattr(item, "obj", None)
        if not inspect.iscoroutinefunction(function):
            yield
            return
        item.obj = self._around(function)  # type: ignore[attr-defined]
        try:
            yield
        finally:
            item.obj = function  # type: ignore[attr-defined]

    def _around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def watched(*args: Any, **values: Any) -> Any:
            __tracebackhide__ = True
            if loop_monitor.monitored() or (self._late is not None and self._late.covers(threading.get_ident())):
                return await function(*args, **values)
            monitor = self._monitor().start()
            try:
                return await function(*args, **values)
            finally:
                monitor.stop()

        return watched

    def _monitor(self) -> LoopMonitor:
        monitor = LoopMonitor(self._limit, self._beat, self._watcher)
        self._monitors.append(monitor)
        return monitor
