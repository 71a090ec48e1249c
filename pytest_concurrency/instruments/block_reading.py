"""Computes how long code blocked an event loop, from the readings at two successive beats."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_concurrency.core.outcomes import Finding
from pytest_concurrency.core.units import duration, share
from pytest_concurrency.machine.stack_locations import Place
from pytest_concurrency.verdicts import causes as causes_
from pytest_concurrency.verdicts import message

# Seconds of each gap that are not attributed to the code: timer resolution and the loop's own work.
SLACK = 0.0005
# A thread that holds the GIL may itself wait for a CPU: with four busy programs, it needs up to five times its CPU
# time. The loop may wait for the GIL for that long, and without this factor the wait would count as the code's.
_PREEMPTED = 8.0


@dataclass(frozen=True)
class Gap:
    """Readings of the time between two beats, in seconds."""

    wall: float
    idle: float  # the longest time for which the loop, with nothing to do, may have waited for the next beat
    cpu: float  # CPU time of the loop's thread
    delay: float | None  # run-queue delay of the loop's thread; None where it cannot be read
    others: float = 0.0  # CPU time of the process's other threads
    steal: float = 0.0  # the most time that the hypervisor may have taken; 0 where it cannot be read
    stalled: float = 0.0  # time for which a thread that only sleeps did not wake up, though it waited for no CPU
    collected: float = 0.0  # time of garbage collections that the code did not call
    seen: float = 0.0  # time for which another thread of this process, which had a CPU, saw that the loop was late


@dataclass(frozen=True)
class Block:
    """An event-loop block, which took between ``low`` and ``high`` seconds."""

    low: float
    high: float
    where: str | None  # the line that blocked; None if no sample shows it
    stack: tuple[Place, ...] = ()
    causes: dict[str, float] = field(default_factory=dict)  # what else may have made it longer, in seconds

    @property
    def length(self) -> str:
        """How long the block took, as text."""
        low, high = duration(self.low), duration(self.high)
        return low if low == high else f"{low} to {high}"

    def told(self) -> str:
        """Return as text how long the block took, where it was, and what else took time."""
        where = f" at {self.where}" if self.where else ", at a line that was not seen"
        return self.length + where + "".join(f"; {seconds} {name}" for name, seconds in self._besides())

    def message(self, headline: str, exempt: str = "", inside: bool = False) -> str:
        """Return the message of a block that was too long.

        :param exempt: how the test's author can allow it.
        :param inside: whether it is raised inside the test.
        """
        known = causes_.of_longest("block")
        why = " ".join([known.why, *(f"{seconds} {name}." for name, seconds in self._besides())])
        place = self.where or "a line that was not seen"
        finding = Finding(known.kind, headline, cause=why, place=place, try_next=known.try_next + exempt)
        return message.render(finding, inside=inside)

    def _besides(self) -> list[tuple[str, str]]:
        return [
            (f"({share(seconds / self.high)}) {name}", duration(seconds))
            for name, seconds in self.causes.items()
            if seconds > 0.05 * self.high
        ]


GIL = "of it other threads computed, so the loop may have waited for the GIL"
COLLECTOR = "of it were the garbage collector's, which ran by itself"
COLLECTING = "of it were the garbage collector's, which a line called"
STEAL = "may have been taken by the hypervisor"
STALLED = "of it the whole process stood still"
DELAY = "more the thread waited for a CPU, which is subtracted"


def bounds(gap: Gap) -> tuple[float, float]:
    """Return the shortest and the longest time for which the loop's own code may have blocked it.

    The run-queue delay is subtracted from both. The lower bound excludes all time that may have another cause: the
    wait for the beat, the GIL in another thread, a hypervisor, a stalled machine, the garbage collector. Where the
    run-queue delay cannot be read, the lower bound is at most the CPU time, or the time for which another thread saw
    the loop late.
    """
    high = max(0.0, gap.wall - (gap.delay or 0.0))
    cpu = min(gap.cpu, high)
    computed = max(0.0, cpu - gap.steal)
    # A hypervisor that stops a CPU, or the whole machine, makes the loop late, and its thread neither computes nor
    # waits for a CPU meanwhile. A thread that computes under the GIL delays the watcher too, so that is no stall.
    taken = max(gap.steal, gap.stalled - cpu)
    waited = max(0.0, high - cpu - _PREEMPTED * gap.others - taken)
    low = computed + waited - gap.idle - SLACK - gap.collected
    if gap.delay is None:
        low = min(low, max(computed - SLACK - gap.collected, gap.seen))
    return max(0.0, low), high


def causes(gap: Gap, collecting: float = 0.0) -> dict[str, float]:
    """Return what else took time in a gap: seconds by name.

    :param collecting: seconds of a garbage collection that the code called.
    """
    high = max(0.0, gap.wall - (gap.delay or 0.0))
    found = {
        GIL: min(gap.others, max(0.0, high - gap.cpu)),
        COLLECTOR: gap.collected,
        COLLECTING: collecting,
        STEAL: gap.steal,
        STALLED: min(high, max(0.0, gap.stalled - gap.cpu)),
        DELAY: gap.delay or 0.0,
    }
    return {name: seconds for name, seconds in found.items() if seconds > 0.001}
