"""Measures stalls: times in which a thread that sleeps for short periods did not wake up, although it had a CPU.

A hypervisor that stops the whole machine causes one, and so does code that holds the GIL.
"""

from __future__ import annotations

from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes.thread_clock import ThreadClock

_STALL = 0.002  # seconds by which a sleep may end late without a reason
_KEPT = 64  # stalls; the monitor asks for those of its current gap


class StallClock:
    """The stalls of one thread, which calls :meth:`sleep` and then :meth:`woke`. Other threads may call the rest."""

    def __init__(self) -> None:
        self._stalls: list[tuple[float, float]] = []  # the last ones, oldest first: when each ended, and its length
        self._due: float | None = None  # when the current sleep should end
        self._clock: ThreadClock | None = None
        self._delay: float | None = None

    def sleep(self, seconds: float) -> float:
        """Sleep, and return the wall-clock time at the end."""
        self._due = CLOCKS.wall() + seconds
        CLOCKS.sleep(seconds)
        return CLOCKS.wall()

    def woke(self, now: float) -> None:
        """Record whether the sleep that ended at ``now`` ended late.

        This reads the run-queue delay, a system call, which releases the GIL. So what is urgent comes before it.
        """
        before = self._delay
        if self._clock is None:  # not earlier: opening it would keep the thread from its first look
            self._clock = ThreadClock()
        self._delay = self._clock.delay()
        if self._due is not None and before is not None and self._delay is not None:
            late = now - self._due - (self._delay - before)
            if late > _STALL:
                self._stalls = [*self._stalls[1 - _KEPT :], (now, late)]
        self._due = None

    def close(self) -> None:
        """Close what the thread has opened. Call it in that thread, at its end."""
        if self._clock is not None:
            self._clock.close()

    def since(self, time: float) -> float:
        """Return the seconds of all stalls since ``time``.

        The sleep that has not ended counts too: after a stall, the loop's thread may be the first to run.
        """
        now, due = CLOCKS.wall(), self._due
        ended = sum(min(length, end - time) for end, length in self._stalls if end > time)
        late = 0.0 if due is None else now - max(due, time)
        return ended + (late if late > _STALL else 0.0)
