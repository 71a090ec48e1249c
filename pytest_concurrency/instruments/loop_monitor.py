"""Monitors an event loop in an ordinary run, and records its event-loop blocks.

A gap is the time between two waits of the loop, or between two beats (see :mod:`.loop_waits`). A long one is a block.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from pytest_concurrency.instruments import block_reading, loop_waits
from pytest_concurrency.instruments.block_reading import Block, Gap
from pytest_concurrency.instruments.collector_clock import COLLECTOR_CLOCK
from pytest_concurrency.instruments.loop_watcher import LoopWatcher
from pytest_concurrency.machine import stack_locations
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes import thread_clock

_LATE = 0.45  # fraction of the limit: if the last beat is older than this, the watcher takes samples
_AGE = 0.125  # fraction of the limit; readings this old serve for a new gap, as reading takes longer than most gaps
_MONITORS: dict[int, list[LoopMonitor]] = {}  # by the ident of the loop's thread; they may end in any order
_PAUSES: Counter[int] = Counter()  # how many pauses each thread is in, by its ident
_PAUSED_UNTIL: dict[int, float] = {}  # when the last pause of a thread ended


class _Stamp(NamedTuple):
    """Readings at one moment, in seconds. The wall clock is read before and after all others.

    A gap begins no earlier than ``after`` of its first stamp, and ends at ``before`` of its last one. A thread that
    loses its CPU between two readings then makes the gap shorter. With one reading, the run-queue delay of that moment
    would count as a block.
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
        self._is_prepared = False
        self.blocks: list[Block] = []
        self.skips_waits: bool = False  # whether the loop has a clock of its own, so that monitoring ended

    def prepare(self, ident: int, native_id: int) -> None:
        """Begin to count. Another thread calls this before the loop's thread calls :meth:`start`."""
        self._ident = ident
        cpu, delay = thread_clock.spent_by(native_id)
        collected = COLLECTOR_CLOCK.spent(ident)
        process = CLOCKS.process_cpu() - self._watcher.cpu
        now = CLOCKS.wall()
        self._begin(_Stamp(now, delay, cpu, process, collected, self._seen, now))
        self._is_prepared = True
        self._watcher.add(self)

    def start(self, loop: asyncio.AbstractEventLoop | None = None) -> LoopMonitor:
        """Start in the thread of the running loop, or in the thread of the given loop, which may be about to run."""
        COLLECTOR_CLOCK.start()
        self._clock = thread_clock.ThreadClock()
        _MONITORS.setdefault(self._ident, []).append(self)
        self._driver = loop_waits.driver(self, self._beat, loop)
        if self._is_prepared and not self._was_paused():
            self.beat(0.0)
        elif self._is_prepared:
            self._begin(self._stamp())
        else:
            self._watcher.add(self)
            self._begin(self._stamp())
        self._driver.start()
        return self

    def stop(self) -> None:
        """Stop monitoring. The time since the last wait or beat still counts."""
        if self._driver.is_current():
            self.beat(self._driver.idle)
        self._driver.stop()
        self._late_since = None
        self._watcher.discard(self)
        _MONITORS[self._ident].remove(self)
        if not _MONITORS[self._ident]:
            del _MONITORS[self._ident]
        self._clock.close()
        COLLECTOR_CLOCK.stop()

    def end_gap(self) -> None:
        """End the current gap, and begin the next one: what comes now counts in another way."""
        self.beat(self._driver.idle)

    def beat(self, idle: float) -> None:
        """End the current gap, keep it if it is too long, and begin the next one.

        :param idle: seconds of the gap in which the loop may have had nothing to do.
        """
        last, now = self._last, self._stamp()
        if now.before - self._began > self._limit and not _PAUSES[self._ident]:
            self._keep(last, now, idle)
        self._forget()
        self._begin(now)

    def waits(self) -> None:
        """End the current gap, and begin none until :meth:`resumes`, because the loop waits for events."""
        if CLOCKS.wall() - self._began > self._limit:
            self.beat(0.0)
        elif self._seen:
            self._forget()
        self._late_since = None

    def resumes(self, due: float | None = None) -> None:
        """Begin a new gap after a wait.

        :param due: when the wait should have ended. The loop may have had to wait for the GIL since.
        """
        now = CLOCKS.wall()
        if due is not None and now - due > self._limit:
            self._began = due
            self.beat(now - due)
        elif now - self._last.after > _AGE * self._limit:
            self._begin(self._stamp())
        else:
            self._began = self._late_since = now

    def look(self, now: float, period: float) -> float:
        """Record where the loop's thread is, if it is late. The watcher's thread calls this."""
        since = self._late_since
        if since is None or _PAUSES[self._ident]:
            return _LATE * self._limit
        if (early := _LATE * self._limit - (now - since)) > 0:
            return early
        self._seen += period
        if stack := stack_locations.of_thread(self._ident):
            self._places[stack] += 1
        return period

    def _was_paused(self) -> bool:
        """Whether the gap that :meth:`prepare` has begun contains a pause."""
        return _PAUSES[self._ident] > 0 or _PAUSED_UNTIL.get(self._ident, 0.0) > self._last.after

    def _begin(self, stamp: _Stamp) -> None:
        """Begin a gap at these readings."""
        self._last = stamp
        self._began = self._late_since = stamp.after

    def _forget(self) -> None:
        """Drop the samples of the gap that has ended."""
        self._seen = 0.0
        self._places.clear()

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
            wall=now.before - self._began,
            idle=idle + self._began - last.after,
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
            if self._was_waiting():
                low = 0.0  # code has replaced what tells of the loop's waits
        where = stack_locations.describe(stack) if stack_locations.authors(stack) is not None else None
        self.blocks.append(Block(low, high, where, stack, block_reading.causes(gap, collecting)))

    def _was_waiting(self) -> bool:
        """Whether most samples show the loop waiting for events."""
        samples = list(self._places.items())
        waiting = sum(times for stack, times in samples if stack_locations.in_poll(stack))
        return 2 * waiting > sum(times for _, times in samples)

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
    """Ignore event-loop blocks of this thread during the ``with`` block.

    A loop that is not monitored yet may be before the end of the block.
    """
    ident = threading.get_ident()
    _end_gaps(ident)
    _PAUSES[ident] += 1
    try:
        yield
    finally:
        _end_gaps(ident)
        _PAUSES[ident] -= 1
        _PAUSED_UNTIL[ident] = CLOCKS.wall()


def _end_gaps(ident: int) -> None:
    for monitor in list(_MONITORS.get(ident, ())):
        monitor.end_gap()
