"""Event-loop heartbeat: a timer callback that shows how long the event loop could not run what was due.

The callback runs in the loop's own thread, so its lateness can be compared with the run-queue delay of that thread: the
body is not blamed if the machine was busy with something else. A watcher thread reads the stack of the loop's thread
when a callback is overdue, to show where the loop is blocked.

Another thread that holds the GIL and waits for a CPU keeps the loop waiting. While its thread waits for the GIL, it
wakes up once in each switch interval, so its voluntary context switches bound for how long it may have done that. Each
wait of its own is such a switch, too, and makes that bound longer.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable
from typing import NamedTuple, Protocol

from pytest_concurrency.core.model import BlockProbe, Interval
from pytest_concurrency.machine import stack_locations
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.originals import Event, Thread
from pytest_concurrency.probes.process_threads import ProcessThreads
from pytest_concurrency.probes.thread_clock import ThreadClock

_BEAT = 0.002  # seconds from one callback to the next
_OVERDUE = 0.01  # seconds without a callback after which the watcher reads the stack
_WAKE = 0.001  # seconds by which each wait for the GIL may be longer than the switch interval
_SPINS = 0.001  # seconds; with a shorter switch interval, a thread that waits for the GIL may compute all the time
_SLACK = 0.0005  # seconds for the timer resolution and the loop's own work


class _Handle(Protocol):
    def cancel(self) -> None: ...


class Timers(Protocol):
    """The methods of an event loop that the heartbeat needs; asyncio's loops have them."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> _Handle: ...


class _Gap(NamedTuple):
    """The time between two callbacks, or while one read the clocks: how long the loop could not run, in seconds."""

    blocked: float
    computed: float  # of that, by its own thread
    for_gil: float  # the longest time for which it may have waited for the GIL

    def least(self, delay: float) -> float:
        """Return how long the loop was blocked at least, in seconds, if others held the GIL for ``delay`` meanwhile."""
        return min(self.blocked, max(self.blocked - min(delay, self.for_gil), self.computed))


class LoopHeartbeat:
    """Runs the callback from enter to exit, which must both be called in the loop's thread."""

    def __init__(self, loop: Timers) -> None:
        self._loop = loop
        self._gaps: list[_Gap] = []
        self._most = 0.0
        self._seen = 0.0  # longest time, in seconds, that the watcher has seen a callback overdue
        self._stood: tuple[stack_locations.Place, ...] = ()
        self._stop = Event()

    def __enter__(self) -> LoopHeartbeat:
        self._clock = ThreadClock()
        self._others = ProcessThreads()
        self._start = CLOCKS.wall()
        self._watcher = Thread(
            target=self._watch, args=(threading.get_ident(),), name="concurrency-loop-watcher", daemon=True
        )
        self._watcher.start()
        # Read the clocks after the start: start() waits until the thread has had a CPU, and would count as a block.
        self._cpu, self._switches = CLOCKS.thread_cpu(), self._clock.switches() or 0
        self._read, self._delay = 0.0, self._clock.delay() or 0.0
        self._earlier, self._start = self._delay, CLOCKS.wall()
        self._handle = self._loop.call_later(_BEAT, self._beat)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._handle.cancel()
        self._note()
        self._stop.set()
        self._watcher.join(1.0)
        self._others.finish({self._watcher.native_id or 0})
        self._clock.close()

    def result(self) -> BlockProbe:
        """Return bounds of the longest block, and where it was."""
        low, besides_gil, beside_others = (
            max((gap.least(delay) for gap in self._gaps), default=0.0) for delay in (0.0, math.inf, self._others.delay)
        )
        idle = stack_locations.in_poll(self._stood)
        return BlockProbe(
            Interval(low, max(low, self._most)),
            None if idle else stack_locations.in_body(self._stood),
            idle,
            max(0.0, besides_gil),
            beside_others,
            self._others.cpu,
        )

    def _beat(self) -> None:
        self._note()
        self._handle = self._loop.call_later(_BEAT, self._beat)

    def _note(self) -> None:
        # The delay is read outside of the gap, and what falls between two readings is subtracted: delay at the gap's
        # end would look like a block otherwise. Each reading gives up the GIL. With threads that compute in Python, it
        # takes as long to get that back as the loop itself waits for it. So the reading is a gap of its own.
        end, cpu, switches = CLOCKS.wall(), CLOCKS.thread_cpu(), self._clock.switches()
        delay = self._clock.delay() or 0.0
        start = CLOCKS.wall()
        self._most = max(self._most, start - self._start)
        interval = sys.getswitchinterval()
        is_bounded = switches is not None and interval >= _SPINS
        for_gil = ((switches or 0) - self._switches) * (interval + _WAKE) if is_bounded else math.inf
        computed = cpu - self._cpu if interval >= _SPINS else 0.0
        gaps = (
            _Gap(end - self._start - (delay - self._delay) - _BEAT - _SLACK, computed - _BEAT - _SLACK, for_gil),
            _Gap(self._read - (delay - self._earlier) - _SLACK, 0.0, math.inf),
        )
        self._gaps += [gap for gap in gaps if gap.blocked > 0]
        self._read, self._earlier = start - end, self._delay
        self._start, self._delay, self._cpu, self._switches = start, delay, cpu, switches or 0

    def _watch(self, ident: int) -> None:
        while not self._stop.wait(_OVERDUE / 2):
            overdue = CLOCKS.wall() - self._start
            if overdue > max(_OVERDUE, self._seen):
                self._seen = overdue
                self._stood = stack_locations.of_thread(ident) or ()
