"""Watches an event loop in its one ordinary run, and finds its blocks.

Timers of the loop itself beat: every kind of loop has them, and the cost of a beat does not depend on how much the
loop does. On Trio, where a test may replace the timers, Trio's own instruments report when it runs tasks.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any, Protocol

from pytest_concurrency.instruments import block_reading, callers
from pytest_concurrency.instruments.block_reading import Block, Gap
from pytest_concurrency.instruments.collector_clock import COLLECTOR_CLOCK
from pytest_concurrency.instruments.loop_watcher import LoopWatcher
from pytest_concurrency.machine import stack_locations
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes import thread_clock

_LATE = 0.45  # part of the limit after which the watcher samples
_VIRTUAL = 20  # beats without a pause: the test has replaced the clock, and waits take no time
_MONITORS: dict[int, LoopMonitor] = {}  # by the ident of the loop's thread

_Stamp = tuple[float, "float | None", float, float, float, float]


class LoopMonitor:
    """Made, started and stopped in the loop's thread.

    :param limit: seconds; blocks that may be longer are kept.
    :param beat: seconds between two beats, which is the precision of a block.
    """

    def __init__(self, limit: float, beat: float, watcher: LoopWatcher) -> None:
        self._limit, self._beat = limit, beat
        self._watcher = watcher
        self._ident = threading.get_ident()
        self._places: Counter[tuple[stack_locations.Place, ...]] = Counter()
        self._seen = 0.0
        self._late_since: float | None = None  # the watcher's reference; None if the loop waits, or is paused
        self._paused = 0
        self._quick = 0
        self._is_prepared = False
        self.blocks: list[Block] = []
        self.beats: int = 0
        self.skips_waits: bool = False  # whether the loop's clock is not the machine's, so that it is watched no longer

    def prepare(self, ident: int, native_id: int) -> None:
        """From another thread: count from now, until the loop's thread calls :meth:`start`."""
        self._ident = ident
        cpu, delay = thread_clock.spent_by(native_id)
        collected = COLLECTOR_CLOCK.spent(ident)
        process = CLOCKS.process_cpu() - self._watcher.cpu
        self._last = CLOCKS.wall(), delay, cpu, process, collected, self._seen
        self._late_since = self._last[0]
        self._is_prepared = True
        self._watcher.add(self)

    def start(self, loop: asyncio.AbstractEventLoop | None = None) -> LoopMonitor:
        """Begin, in the thread of a loop that runs, or of the given one, which is about to run."""
        COLLECTOR_CLOCK.start()
        self._clock = thread_clock.ThreadClock()
        self._outer = _MONITORS.get(self._ident)
        _MONITORS[self._ident] = self
        is_trio = loop is None and callers.trio_task() is not None
        self._driver: _Driver = (
            _TrioTicks(self) if is_trio else _Beats(self, self._beat, loop or asyncio.get_running_loop())
        )
        if self._is_prepared:
            self.note(0.0)
        else:
            self._watcher.add(self)
            self._last = self._stamp()
            self._late_since = self._last[0]
        self._driver.start()
        return self

    def stop(self) -> None:
        """End; the time since the last beat still counts."""
        self._driver.stop()
        # A loop that skips waits was not watched lately: it may have waited for a thread or a socket all the while.
        if not self.skips_waits:
            self.note(self._driver.idle)
        self._late_since = None
        self._watcher.discard(self)
        if self._outer is None:
            _MONITORS.pop(self._ident, None)
        else:
            _MONITORS[self._ident] = self._outer
        self._clock.close()
        COLLECTOR_CLOCK.stop()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Count nothing while the block runs."""
        self.note(self._driver.idle)
        self._paused += 1
        try:
            yield
        finally:
            self.note(self._driver.idle)
            self._paused -= 1
            self._places.clear()

    def note(self, idle: float) -> None:
        """Record the gap since the last stamp; the loop may have been idle for some seconds of it."""
        last, now = self._last, self._stamp()
        wall = now[0] - last[0]
        self.beats += 1
        if wall > self._limit and not self._paused:
            self._keep(last, now, idle)
        if self._places:
            self._places.clear()
        self._seen = 0.0
        self._last = now
        self._late_since = now[0]

    def rest(self) -> None:
        """Begin no new gap before :meth:`resume`: the loop waits for events from outside."""
        self._late_since = None

    def resume(self) -> None:
        """Begin a new gap."""
        self._last = self._stamp()
        self._late_since = self._last[0]

    def is_virtual(self) -> bool:
        """Whether beats come much faster than their time: the loop's clock is not the machine's."""
        self._quick = self._quick + 1 if CLOCKS.wall() - self._last[0] < self._beat / 4 else 0
        return self._quick >= _VIRTUAL

    def look(self, now: float, period: float) -> float:
        """Record where the loop's thread is, if it is late. The watcher's thread calls this."""
        since = self._late_since
        if since is None or self._paused:
            return period
        if (early := _LATE * self._limit - (now - since)) > 0:
            return early
        self._seen += period
        if stack := stack_locations.of_thread(self._ident):
            self._places[stack] += 1
        return period

    def _stamp(self) -> _Stamp:
        # The wall clock comes last: a delay that lands between the readings makes the next gap shorter, never longer.
        collected = COLLECTOR_CLOCK.spent(self._ident)
        # Without the watcher's own CPU time, which would count as time in which another thread may have held the GIL.
        process, cpu = CLOCKS.process_cpu() - self._watcher.cpu, CLOCKS.thread_cpu()
        delay = self._clock.delay()
        return CLOCKS.wall(), delay, cpu, process, collected, self._seen

    def _keep(self, last: _Stamp, now: _Stamp, idle: float) -> None:
        cpu = now[2] - last[2]
        gap = Gap(
            wall=now[0] - last[0],
            idle=idle,
            cpu=cpu,
            delay=None if now[1] is None or last[1] is None else now[1] - last[1],
            others=max(0.0, now[3] - last[3] - cpu),
            steal=self._watcher.steal_since(last[0]),
            collected=now[4] - last[4],
            seen=now[5],
        )
        low, high = block_reading.bounds(gap)
        if high <= self._limit:
            return
        collecting, stack = COLLECTOR_CLOCK.called(self._ident, last[0])
        if collecting < high / 2:
            stack = self._stack()
        where = stack_locations.describe(stack) if stack_locations.authors(stack) is not None else None
        self.blocks.append(Block(low, high, where, stack, block_reading.causes(gap, collecting)))

    def _stack(self) -> tuple[stack_locations.Place, ...]:
        """Return the stack that the watcher saw most often at one line of the author's; empty if it saw none."""
        counted: Counter[stack_locations.Place | None] = Counter()
        for stack, times in list(self._places.items()):
            if not stack_locations.in_poll(stack):
                counted[stack_locations.authors(stack)] += times
        if not counted:
            return ()
        most = counted.most_common(1)[0][0]
        return next(stack for stack in list(self._places) if stack_locations.authors(stack) == most)


def monitored() -> bool:
    """Whether a loop of this thread is watched."""
    return threading.get_ident() in _MONITORS


@contextlib.contextmanager
def pause() -> Iterator[None]:
    """Allow the code of this block to block the loop of this thread; do nothing where no loop is watched."""
    monitor = _MONITORS.get(threading.get_ident())
    with contextlib.nullcontext() if monitor is None else monitor.paused():
        yield


class _Driver(Protocol):
    idle: float

    def start(self) -> None: ...
    def stop(self) -> None: ...


class _Beats:
    """Timers of asyncio's loop, or of one with the same interface."""

    def __init__(self, monitor: LoopMonitor, beat: float, loop: asyncio.AbstractEventLoop) -> None:
        self._monitor = monitor
        self.idle = beat
        self._loop = loop
        self._handle: Any = None

    def start(self) -> None:
        self._handle = self._loop.call_later(self.idle, self._beat)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    def _beat(self) -> None:
        virtual = self._monitor.is_virtual()
        self._monitor.note(self.idle)
        if virtual:
            self._monitor.skips_waits = True
            self._monitor.rest()
        else:
            self._handle = self._loop.call_later(self.idle, self._beat)


class _TrioTicks:
    """Trio's instruments report when a wait begins and ends, so the time between is known exactly."""

    idle = 0.0

    def __init__(self, monitor: LoopMonitor) -> None:
        self._monitor = monitor
        self._trio: Any = sys.modules["trio"]

    def start(self) -> None:
        self._trio.lowlevel.add_instrument(self)

    def stop(self) -> None:
        self._trio.lowlevel.remove_instrument(self)

    def before_io_wait(self, timeout: float) -> None:
        self._monitor.note(0.0)
        self._monitor.rest()

    def after_io_wait(self, timeout: float) -> None:
        self._monitor.resume()
