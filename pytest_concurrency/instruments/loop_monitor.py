"""Monitors an event loop in an ordinary run, and records its event-loop blocks.

A timer of the loop fires at a fixed interval: this is a beat, and a late beat shows that the loop was kept from
running. Every kind of loop has timers, and the cost of a beat does not depend on how much the loop does. On Trio, a
test may replace the timers, so there an instrument of Trio reports when the loop runs tasks.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from pytest_concurrency.instruments import block_reading, callers
from pytest_concurrency.instruments.block_reading import Block, Gap
from pytest_concurrency.instruments.collector_clock import COLLECTOR_CLOCK
from pytest_concurrency.instruments.loop_watcher import LoopWatcher
from pytest_concurrency.machine import stack_locations
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes import thread_clock

_LATE = 0.45  # fraction of the limit: if the last beat is older than this, the watcher takes samples
_VIRTUAL = 20  # beats without a pause that show that the test has replaced the clock, and waits take no time
_MONITORS: dict[int, LoopMonitor] = {}  # by the ident of the loop's thread


class _Stamp(NamedTuple):
    """Readings at one moment, in seconds. The wall clock is read before and after all others.

    A gap lasts from ``after`` of its first stamp to ``before`` of its last one. A thread that loses its CPU between two
    readings then makes the gap shorter. With one reading, the run-queue delay of that moment would count as a block.
    """

    before: float
    delay: float | None
    cpu: float
    process: float
    collected: float
    seen: float
    after: float


class LoopMonitor:
    """Monitors one event loop. It is started and stopped in the loop's thread.

    :param limit: seconds; event-loop blocks that may be longer are kept.
    :param beat: seconds between two beats. The length of a block is known to this precision.
    """

    def __init__(self, limit: float, beat: float, watcher: LoopWatcher) -> None:
        self._limit, self._beat = limit, beat
        self._watcher = watcher
        self._ident = threading.get_ident()
        self._places: Counter[tuple[stack_locations.Place, ...]] = Counter()
        self._seen = 0.0
        self._late_since: float | None = None  # when the gap began, for the watcher; None if no gap is open
        self._paused = 0
        self._quick = 0
        self._is_prepared = False
        self.blocks: list[Block] = []
        self.beats: int = 0
        self.skips_waits: bool = False  # whether the loop has a clock of its own, so that monitoring ended

    def prepare(self, ident: int, native_id: int) -> None:
        """Begin to count. Another thread calls this before the loop's thread calls :meth:`start`."""
        self._ident = ident
        cpu, delay = thread_clock.spent_by(native_id)
        collected = COLLECTOR_CLOCK.spent(ident)
        process = CLOCKS.process_cpu() - self._watcher.cpu
        now = CLOCKS.wall()
        self._last = _Stamp(now, delay, cpu, process, collected, self._seen, now)
        self._late_since = now
        self._is_prepared = True
        self._watcher.add(self)

    def start(self, loop: asyncio.AbstractEventLoop | None = None) -> LoopMonitor:
        """Start in the thread of the running loop, or in the thread of the given loop, which may be about to run."""
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
            self._late_since = self._last.after
        self._driver.start()
        return self

    def stop(self) -> None:
        """Stop monitoring. The time since the last beat still counts."""
        self._driver.stop()
        # A loop that skips waits is no longer monitored. Without this condition, the time since its last beat, in which
        # it may have waited for a thread or a socket, would be recorded as a block.
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
        """Count nothing while the ``with`` block runs."""
        self.note(self._driver.idle)
        self._paused += 1
        try:
            yield
        finally:
            self.note(self._driver.idle)
            self._paused -= 1
            self._places.clear()

    def note(self, idle: float) -> None:
        """End the current gap, keep it if it is too long, and begin the next one.

        :param idle: seconds of the gap in which the loop may have had nothing to do.
        """
        last, now = self._last, self._stamp()
        self.beats += 1
        if now.before - last.after > self._limit and not self._paused:
            self._keep(last, now, idle)
        if self._places:
            self._places.clear()
        self._seen = 0.0
        self._last = now
        self._late_since = now.after

    def rest(self) -> None:
        """Begin no new gap until :meth:`resume`, because the loop waits for events from outside."""
        self._late_since = None

    def resume(self) -> None:
        """Begin a new gap."""
        self._last = self._stamp()
        self._late_since = self._last.after

    def is_virtual(self) -> bool:
        """Whether beats come much too early, which shows that the loop does not use the machine's clock."""
        self._quick = self._quick + 1 if CLOCKS.wall() - self._last.after < self._beat / 4 else 0
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
        before = CLOCKS.wall()
        collected = COLLECTOR_CLOCK.spent(self._ident)
        # The watcher's own CPU time is subtracted. Otherwise, it would count as time in which another thread may have
        # held the GIL.
        process, cpu = CLOCKS.process_cpu() - self._watcher.cpu, CLOCKS.thread_cpu()
        delay = self._clock.delay()
        return _Stamp(before, delay, cpu, process, collected, self._seen, CLOCKS.wall())

    def _keep(self, last: _Stamp, now: _Stamp, idle: float) -> None:
        cpu = now.cpu - last.cpu
        gap = Gap(
            wall=now.before - last.after,
            idle=idle,
            cpu=cpu,
            delay=None if now.delay is None or last.delay is None else now.delay - last.delay,
            others=max(0.0, now.process - last.process - cpu),
            steal=self._watcher.steal_since(last.after),
            stalled=self._watcher.stalls.since(last.after),
            collected=now.collected - last.collected,
            seen=now.seen,
        )
        low, high = block_reading.bounds(gap)
        if high <= self._limit:
            return
        collecting, stack = COLLECTOR_CLOCK.called(self._ident, last.after)
        if collecting < high / 2:
            stack = self._stack()
        where = stack_locations.describe(stack) if stack_locations.authors(stack) is not None else None
        self.blocks.append(Block(low, high, where, stack, block_reading.causes(gap, collecting)))

    def _stack(self) -> tuple[stack_locations.Place, ...]:
        """Return a stack at the line of the author's code that most samples show; empty if there are no samples."""
        counted: Counter[stack_locations.Place | None] = Counter()
        for stack, times in list(self._places.items()):
            if not stack_locations.in_poll(stack):
                counted[stack_locations.authors(stack)] += times
        if not counted:
            return ()
        most = counted.most_common(1)[0][0]
        return next(stack for stack in list(self._places) if stack_locations.authors(stack) == most)


def monitored() -> bool:
    """Whether a loop of this thread is monitored."""
    return threading.get_ident() in _MONITORS


@contextlib.contextmanager
def pause() -> Iterator[None]:
    """Ignore event-loop blocks of this thread during the ``with`` block. Without a monitored loop, do nothing."""
    monitor = _MONITORS.get(threading.get_ident())
    with contextlib.nullcontext() if monitor is None else monitor.paused():
        yield


class _Driver(Protocol):
    idle: float

    def start(self) -> None: ...
    def stop(self) -> None: ...


class _Beats:
    """Beats from timers of asyncio's loop, or of a loop with the same interface."""

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
    """An instrument of Trio. It is called when a wait begins and ends, so the time between waits is known exactly."""

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
