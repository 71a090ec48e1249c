"""What one gap between two beats of an event loop says of the code that ran in it (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_concurrency.core.units import duration, share
from pytest_concurrency.machine.stack_locations import Place

# Seconds of a gap that are never held against the code: timer resolution and the loop's own work.
SLACK = 0.0005
# A thread that holds the GIL may itself wait for a CPU: beside four busy programs it needs up to five times its CPU
# time. So long the loop may wait for the GIL.
_PREEMPTED = 8.0
_STOLEN_AT_ONCE = 0.02  # seconds: slices of hypervisors are shorter


@dataclass(frozen=True)
class Gap:
    """Readings of one gap, in seconds; ``delay`` and ``steal`` are None where they cannot be read."""

    wall: float
    idle: float  # at most so long the loop may have waited for the next beat, with nothing to do
    cpu: float  # of the loop's thread
    delay: float | None  # run delay of the loop's thread: ready to run, and no CPU free
    others: float = 0.0  # CPU time of the process's other threads
    steal: float = 0.0  # at most so much the hypervisor has taken
    collected: float = 0.0  # in the garbage collector, which nothing in the code has called
    seen: float = 0.0  # for so long another thread of this process has seen the loop late, and had a CPU itself


@dataclass(frozen=True)
class Block:
    """A stretch in which an event loop could not run what was due: between ``low`` and ``high`` seconds."""

    low: float
    high: float
    where: str | None  # the line that blocked; None if it was not caught
    stack: tuple[Place, ...] = ()
    causes: dict[str, float] = field(default_factory=dict)  # what may have lengthened it, in seconds

    def told(self) -> str:
        """Say how long, where, and what else took time."""
        where = f" at {self.where}" if self.where else ", at a line that was not caught"
        besides = "".join(f"; {seconds} {name}" for name, seconds in self._besides())
        return f"{duration(self.low)} to {duration(self.high)}{where}{besides}"

    def _besides(self) -> list[tuple[str, str]]:
        return [
            (f"({share(seconds / self.high)}) {name}", duration(seconds))
            for name, seconds in self.causes.items()
            if seconds > 0.05 * self.high
        ]


GIL = "of it other threads computed, so the loop may have waited for the GIL"
COLLECTOR = "of it were the garbage collector's, which ran of itself"
COLLECTING = "of it were the garbage collector's, which a line called"
STEAL = "were taken by the hypervisor in or before it"
DELAY = "more the thread waited for a CPU, which is taken off"


def bounds(gap: Gap) -> tuple[float, float]:
    """Return how long the loop's own code has kept it from running, at least and at most.

    The run delay is taken off both ends. The lower end leaves out all that may have been something else: the wait
    for the beat, the GIL in another thread, the hypervisor, the garbage collector. Without a reading of the run delay
    only what another thread has seen counts, or the CPU time.
    """
    high = max(0.0, gap.wall - (gap.delay or 0.0))
    computed = max(0.0, min(gap.cpu, high) - gap.steal)
    # A sleeping thread loses nothing to the hypervisor but the moment at which it should wake up.
    waited = max(0.0, high - min(gap.cpu, high) - _PREEMPTED * gap.others - min(gap.steal, _STOLEN_AT_ONCE))
    low = computed + waited - gap.idle - SLACK - gap.collected
    if gap.delay is None:
        low = min(low, max(computed - SLACK - gap.collected, gap.seen))
    return max(0.0, low), high


def causes(gap: Gap, collecting: float = 0.0) -> dict[str, float]:
    """Return what else took time in a gap, in seconds, by what to call it; ``collecting`` is what code has called."""
    high = max(0.0, gap.wall - (gap.delay or 0.0))
    found = {
        GIL: min(gap.others, max(0.0, high - gap.cpu)),
        COLLECTOR: gap.collected,
        COLLECTING: collecting,
        STEAL: gap.steal,
        DELAY: gap.delay or 0.0,
    }
    return {name: seconds for name, seconds in found.items() if seconds > 0.001}
