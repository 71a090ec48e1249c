"""Event-loop heartbeat: a timer callback that shows how long the event loop could not run what was due.

The callback runs in the loop's own thread, so its lateness can be compared with the run-queue delay of that thread: the
body is not blamed if the machine was busy with something else. A watcher thread reads the stack of the loop's thread
when a callback is overdue, to show where the loop is blocked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from pytest_concurrency.core.model import BlockProbe, Interval
from pytest_concurrency.machine import stack_locations
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes.thread_clock import ThreadClock

_BEAT = 0.002  # seconds from one callback to the next
_OVERDUE = 0.01  # seconds without a callback after which the watcher reads the stack
_SLACK = 0.0005  # seconds for the timer resolution and the loop's own work


def unavailable() -> str | None:
    """Return None: every platform has event loops and threads."""
    return None


class _Handle(Protocol):
    def cancel(self) -> None: ...


class Timers(Protocol):
    """The methods of an event loop that the heartbeat needs; asyncio's loops have them."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> _Handle: ...


class LoopHeartbeat:
    """Runs the callback from enter to exit, which must both be called in the loop's thread."""

    def __init__(self, loop: Timers) -> None:
        self._loop = loop
        self._least = self._most = 0.0
        self._seen = 0.0  # longest time, in seconds, that the watcher has seen a callback overdue
        self._stood: tuple[stack_locations.Place, ...] = ()
        self._stop = threading.Event()

    def __enter__(self) -> LoopHeartbeat:
        self._clock = ThreadClock()
        self._last = CLOCKS.wall()
        self._watcher = threading.Thread(
            target=self._watch, args=(threading.get_ident(),), name="concurrency-loop-watcher", daemon=True
        )
        self._watcher.start()
        # Read the clocks after the start: start() waits until the thread has had a CPU, and would count as a block.
        self._last_delay, self._last = self._clock.delay(), CLOCKS.wall()
        self._handle = self._loop.call_later(_BEAT, self._beat)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._handle.cancel()
        self._note()
        self._stop.set()
        self._watcher.join(1.0)
        self._clock.close()

    def result(self) -> BlockProbe:
        """Return bounds of the longest block, and where it was."""
        longest = Interval(self._least, max(self._least, self._most))
        idle = stack_locations.in_poll(self._stood)
        return BlockProbe(longest, None if idle else stack_locations.in_body(self._stood), idle)

    def _beat(self) -> None:
        self._note()
        self._handle = self._loop.call_later(_BEAT, self._beat)

    def _note(self) -> None:
        # The delay is read before and after the wall clock. Otherwise, delay that falls between two readings would be
        # part of the gap but not of the run-queue delay, and look like a block.
        before, now, delay = self._clock.delay(), CLOCKS.wall(), self._clock.delay()
        gap = now - self._last
        waited = 0.0 if delay is None or self._last_delay is None else delay - self._last_delay
        self._most = max(self._most, gap)
        self._least = max(self._least, gap - waited - _BEAT - _SLACK)
        self._last, self._last_delay = now, before

    def _watch(self, ident: int) -> None:
        while not self._stop.wait(_OVERDUE / 2):
            overdue = CLOCKS.wall() - self._last
            if overdue > max(_OVERDUE, self._seen):
                self._seen = overdue
                self._stood = stack_locations.of_thread(ident) or ()
