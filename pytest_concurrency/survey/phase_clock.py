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
_STALE = 0.005  # seconds after which the run-queue delay from before a phase is read again


class PhaseClock:
    """Made, and used, in the thread that runs the tests."""

    def __init__(self) -> None:
        self._clock = ThreadClock()
        self._delay = self._clock.delay()
        self._read_at = self._begun = CLOCKS.wall()
        self._children = CLOCKS.children_cpu()
        self._cpu = CLOCKS.process_cpu()

    def begin(self) -> None:
        """Begin a phase."""
        if CLOCKS.wall() - self._read_at > _STALE:
            self._delay = self._clock.delay()
            self._read_at = CLOCKS.wall()
        self._cpu = CLOCKS.process_cpu()
        self._begun = CLOCKS.wall()

    def end(self) -> Phase:
        """Return what the phase since :meth:`begin` took."""
        now = CLOCKS.wall()
        wall = now - self._begun
        if wall < _TRIFLE:
            return Phase(wall, wall, 0.0, None if self._delay is None else 0.0)
        cpu = CLOCKS.process_cpu() - self._cpu
        if (open_ := wall - cpu) < _EXPLAINED:
            return Phase(wall, cpu, 0.0, None if self._delay is None else 0.0)
        children, self._children = self._children, CLOCKS.children_cpu()
        before, self._delay = self._delay, self._clock.delay()
        self._read_at = now
        # What came before the phase, and after the last reading, is not more than the phase leaves open.
        delay = None if before is None or self._delay is None else min(open_, self._delay - before)
        return Phase(wall, cpu, self._children - children, delay)

    def run_delay(self) -> float:
        """Return the run-queue delay of the thread so far; 0 where it cannot be read."""
        return self._clock.delay() or 0.0

    def close(self) -> None:
        """Close what it reads from."""
        self._clock.close()
