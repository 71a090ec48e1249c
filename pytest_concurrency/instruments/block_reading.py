"""From one gap between two beats of an event loop to how long the code in it blocked the loop (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_concurrency.core.units import duration, share
from pytest_concurrency.machine.stack_locations import Place

# Seconds of a gap that never count as the code's: timer resolution and the loop's own work.
SLACK = 0.0005
# A thread that holds the GIL may itself wait for a CPU: with four busy programs it needs up to five times its CPU
# time. The loop may wait for the GIL for that long.
_PREEMPTED = 8.0
_STOLEN_AT_ONCE = 0.02  # seconds: slices of hypervisors are shorter


@dataclass(frozen=True)
class Gap:
    """Readings of one gap, in seconds; ``delay`` and ``steal`` are None where they cannot be read."""

    wall: float
    idle: float  # longest time for which the loop may have waited for the next beat, with nothing to do
    cpu: float  # of the loop's thread
    delay: float | None  # run delay of the loop's thread: ready to run, and no CPU free
    others: float = 0.0  # CPU time of the process's other threads
    steal: float = 0.0  # the most that the hypervisor may have taken
    collected: float = 0.0  # in the garbage collector, where the code did not call it
    seen: float = 0.0  # time for which another thread of this process, which had a CPU, has seen the loop late


@dataclass(frozen=True)
class Block:
    """An event-loop block: it took between ``low`` and ``high`` seconds."""

    low: float
    high: float
    where: str | None  # the line that blocked; None if it was not seen
    stack: tuple[Place, ...] = ()
    causes: dict[str, float] = field(default_factory=dict)  # other things that may have made it longer, in seconds

    def told(self) -> str:
        """Return how long it took, where, and what else took time."""
        where = f" at {self.where}" if self.where else ", at a line that was not seen"
        besides = "".join(f"; {seconds} {name}" for name, seconds in self._besides())
        return f"{duration(self.low)} to {duration(self.high)}{where}{besides}"

    def _besides(self) -> list[tuple[str, str]]:
        return [
            (f"({share(seconds / self.high)}) {name}", duration(seconds))
            for name, seconds in self.causes.items()
            if seconds > 0.05 * self.high
        ]


GIL = "of it other threads computed, and the loop may have waited for the GIL"
COLLECTOR = "of it were the garbage collector's, which ran by itself"
COLLECTING = "of it were the garbage collector's, which a line called"
STEAL = "were taken by the hypervisor in or before it"
DELAY = "more the thread waited for a CPU, which is subtracted"


def bounds(gap: Gap) -> tuple[float, float]:
    """Return how long the loop's own code has blocked it, at least and at most.

    The run delay is subtracted from both. The lower value excludes everything that may have another reason: the wait
    for the beat, the GIL in another thread, the hypervisor, the garbage collector. Without a reading of the run
    delay, only the CPU time counts, or what another thread has seen.
    """
    high = max(0.0, gap.wall - (gap.delay or 0.0))
    computed = max(0.0, min(gap.cpu, high) - gap.steal)
    # A sleeping thread loses no time to the hypervisor, except when it should wake up.
    waited = max(0.0, high - min(gap.cpu, high) - _PREEMPTED * gap.others - min(gap.steal, _STOLEN_AT_ONCE))
    low = computed + waited - gap.idle - SLACK - gap.collected
    if gap.delay is None:
        low = min(low, max(computed - SLACK - gap.collected, gap.seen))
    return max(0.0, low), high


def causes(gap: Gap, collecting: float = 0.0) -> dict[str, float]:
    """Return what else took time in a gap, in seconds, by its name; ``collecting`` is a collection that code called."""
    high = max(0.0, gap.wall - (gap.delay or 0.0))
    found = {
        GIL: min(gap.others, max(0.0, high - gap.cpu)),
        COLLECTOR: gap.collected,
        COLLECTING: collecting,
        STEAL: gap.steal,
        DELAY: gap.delay or 0.0,
    }
    return {name: seconds for name, seconds in found.items() if seconds > 0.001}
