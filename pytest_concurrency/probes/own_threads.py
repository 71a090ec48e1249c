"""What the user's own code did: CPU time and run delay of all threads that it started meanwhile."""

from __future__ import annotations

import os
import threading
from types import TracebackType

from pytest_concurrency.clocks import CLOCKS
from pytest_concurrency.model import Reading
from pytest_concurrency.probes.thread_state import ThreadClock, unavailable

__all__ = ["OwnThreads", "unavailable"]


class OwnThreads:
    """Between enter and exit, threads report their run delay when they end.

    ``threading.Thread.run`` is replaced meanwhile. Threads that do not come through it (made in
    native code, or by a subclass with a ``run`` of its own) are not seen, nor are those still alive.
    """

    def __enter__(self) -> OwnThreads:
        self._delay = 0.0
        self._lock = threading.Lock()
        self._original = original = threading.Thread.run

        def run(thread: threading.Thread) -> None:
            clock = ThreadClock()
            begun = clock.delay()
            try:
                original(thread)
            finally:
                ended = clock.delay()
                clock.close()
                if begun is not None and ended is not None:
                    with self._lock:
                        self._delay += ended - begun

        threading.Thread.run = run  # type: ignore[method-assign, assignment]
        self._clock = ThreadClock()
        self._children = _children_cpu()
        self._cpu = CLOCKS.process_cpu()
        self._begun = self._clock.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        reading = self._clock.finish(self._begun, None)
        cpu = CLOCKS.process_cpu() - self._cpu
        threading.Thread.run = self._original  # type: ignore[method-assign]
        self._clock.close()
        self.children = _children_cpu() - self._children
        with self._lock:
            delay = None if reading.delay is None else reading.delay + self._delay
        self.reading = Reading(reading.start, reading.end, cpu + self.children, delay)


def _children_cpu() -> float:
    times = os.times()
    return times.children_user + times.children_system
