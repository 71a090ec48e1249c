"""Reads the phases of tests, with as few system calls as will do.

A test of a large suite takes about a millisecond, pytest's own work included, and a reading some microseconds. So a
reading is left out where it could say nothing new.
"""

from __future__ import annotations

from collections.abc import Callable

from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes.thread_clock import ThreadClock
from pytest_concurrency.survey.values import Phase

_TRIFLE = 200e-6  # seconds: a phase that is shorter counts as computing
_BETWEEN = 0.001  # seconds between two phases in which pytest has only computed
_EXPLAINED = 500e-6  # seconds of a phase that may stay without a look at what else they were
_STALE = 0.02  # seconds after which the run-queue delay is read again, so that the next phase begins at the right one


class PhaseClock:
    """Made, and used, in the thread that runs the tests.

    :param beside: returns the CPU time of what watches the tests in a thread of its own, in seconds so far.
    :param collected: returns the seconds of the automatic garbage collections of this thread since a time.
    """

    def __init__(
        self, beside: Callable[[], float] = lambda: 0.0, collected: Callable[[float], float] = lambda _: 0.0
    ) -> None:
        self._beside = beside
        self._collected = collected
        self._clock = ThreadClock()
        self._delay = self._clock.delay()
        self._no_delay = None if self._delay is None else 0.0
        self._children = CLOCKS.children_cpu()
        self._cpu = CLOCKS.process_cpu() - beside()
        self._at = self._delay_at = CLOCKS.wall()

    def phase(self, wall: float) -> Phase:
        """Return what a phase took that has just ended, after ``wall`` seconds."""
        now = CLOCKS.wall()
        if wall < _TRIFLE:
            return Phase(wall, wall, 0.0, self._no_delay)
        cpu = CLOCKS.process_cpu() - self._beside()
        used, between = cpu - self._cpu, now - self._at - wall
        used = max(0.0, used - between) if between < _BETWEEN else min(used, wall)
        self._cpu, self._at = cpu, now
        # A full collection walks all objects of the suite. Without this, a test in which one happens to run is listed
        # as one that computes for a third of a second.
        collected = min(used, self._collected(now - wall))
        wall, used = wall - collected, used - collected
        if (left := wall - used) < _EXPLAINED:
            if now - self._delay_at > _STALE:
                self._delay, self._delay_at = self._clock.delay(), now
            return Phase(wall, used, 0.0, self._no_delay)
        children, self._children = self._children, CLOCKS.children_cpu()
        delay, self._delay = self._delay, self._clock.delay()
        self._delay_at = now
        # What came before the phase, and after the last reading, is not more than the phase leaves open.
        delayed = None if delay is None or self._delay is None else min(left, self._delay - delay)
        return Phase(wall, used, self._children - children, delayed)

    def run_delay(self) -> float:
        """Return the run-queue delay of the thread so far; 0 where it cannot be read."""
        return self._clock.delay() or 0.0

    def close(self) -> None:
        """Close what it reads from."""
        self._clock.close()
