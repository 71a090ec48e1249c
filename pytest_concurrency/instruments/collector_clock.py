"""Measures the time of automatic garbage collections in each thread. Collections that code calls are kept apart."""

from __future__ import annotations

import gc
import linecache
import sys
import threading
from collections import deque
from types import FrameType
from typing import NamedTuple

from pytest_concurrency.machine import stack_locations
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.originals import Lock

_SHORT = 0.001  # seconds; whether code called a shorter collection is not checked
_KEPT = 8  # collections of each kind that are kept of each thread


class _Call(NamedTuple):
    """A collection that a line of code called."""

    end: float
    seconds: float
    stack: tuple[stack_locations.Place, ...]


class CollectorClock:
    """Counts between :meth:`start` and :meth:`stop`. These pairs may be nested."""

    def __init__(self) -> None:
        self._users = 0
        self._lock = Lock()
        self._begun: dict[int, float] = {}
        self._spent: dict[int, float] = {}
        self._called: dict[int, deque[_Call]] = {}
        self._long: dict[int, deque[tuple[float, float]]] = {}  # automatic ones: when each ended, and its seconds

    def start(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                gc.callbacks.append(self._note)

    def stop(self) -> None:
        with self._lock:
            self._users -= 1
            if not self._users and self._note in gc.callbacks:  # not if a test has cleared the list
                gc.callbacks.remove(self._note)

    def spent(self, ident: int) -> float:
        """Return the seconds of automatic collections in a thread."""
        return self._spent.get(ident, 0.0)

    def spent_since(self, ident: int, time: float) -> float:
        """Return the seconds of a thread's automatic collections of 1 ms or more that have ended since ``time``."""
        return sum(seconds for end, seconds in self._long.get(ident, ()) if end > time)

    def called(self, ident: int, since: float) -> tuple[float, tuple[stack_locations.Place, ...]]:
        """Return the seconds of collections that a thread's code called after ``since``, and the longest's stack."""
        calls = [call for call in self._called.get(ident, ()) if call.end > since]
        longest = max(calls, key=lambda call: call.seconds, default=None)
        return sum(call.seconds for call in calls), longest.stack if longest else ()

    def _note(self, phase: str, info: object) -> None:
        ident, now = threading.get_ident(), CLOCKS.wall()
        if phase == "start":
            self._begun[ident] = now
        elif (begun := self._begun.pop(ident, None)) is not None:
            seconds = now - begun
            if seconds >= _SHORT and _was_called(caller := sys._getframe(0).f_back):
                calls = self._called.setdefault(ident, deque(maxlen=_KEPT))
                calls.append(_Call(now, seconds, tuple(stack_locations.of_frame(caller))))
            else:
                self._spent[ident] = self._spent.get(ident, 0.0) + seconds
                if seconds >= _SHORT:
                    self._long.setdefault(ident, deque(maxlen=_KEPT)).append((now, seconds))


def _was_called(frame: FrameType | None) -> bool:
    """Whether the current line of a frame calls ``gc.collect()``. While Python shuts down, there is no frame."""
    return frame is not None and "collect(" in linecache.getline(frame.f_code.co_filename, frame.f_lineno)


COLLECTOR_CLOCK = CollectorClock()
