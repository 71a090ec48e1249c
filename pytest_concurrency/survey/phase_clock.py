"""Reads the phases of tests, with as few system calls as will do.

A test of a large suite takes about a millisecond, pytest's own work included, and a reading some microseconds. So a
reading is left out where it could say nothing new.
"""

from __future__ import annotations

from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes.thread_clock import ThreadClock
from pytest_concurrency.survey.values import Phase

_TRIFLE = 50e-6  # seconds: a phase that is shorter counts as computing
_EXPLAINED = 500e-6  # seconds of a phase that may stay without a look at what else they were
_RECENT = 0.001  # seconds for which a reading of the CPU time holds: pytest itself computes between two phases
_STALE = 0.005  # seconds after which the run-queue delay from before a phase is read again


class PhaseClock:
    """Made, and used, in the thread that runs the tests."""

    def __init__(self) -> None:
        self._clock = ThreadClock()
        self._delay = self._clock.delay()
        self._no_delay = None if self._delay is None else 0.0
        self._children = CLOCKS.children_cpu()
        self._cpu = CLOCKS.process_cpu()
        self._begun = self._cpu_at = self._delay_at = CLOCKS.wall()

    def begin(self) -> None:
        """Begin a phase."""
        now = CLOCKS.wall()
        if now - self._cpu_at > _RECENT:
            if now - self._delay_at > _STALE:
                self._delay = self._clock.delay()
                self._delay_at = now
            self._cpu = CLOCKS.process_cpu()
            self._cpu_at = now = CLOCKS.wall()
        self._begun = now

    def end(self, wall: float) -> Phase:
        """Return what the phase since :meth:`begin` took; it has ended a moment ago, after ``wall`` seconds."""
        if wall < _TRIFLE:
            return Phase(wall, wall, 0.0, self._no_delay)
        cpu, now = CLOCKS.process_cpu(), CLOCKS.wall()
        # Before and after the phase, pytest has computed.
        before, after = self._begun - self._cpu_at, now - self._begun - wall
        used = max(0.0, cpu - self._cpu - before - max(0.0, after))
        self._cpu, self._cpu_at = cpu, now
        if (left := wall - used) < _EXPLAINED:
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
