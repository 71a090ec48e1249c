"""What computes for a body besides its workers: threads and processes that it starts, or hands work to.

A worker that waits for them looks idle. Their CPU time is known; how long they waited for a CPU is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pytest_concurrency.core.model import Reading
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes import process_usage
from pytest_concurrency.probes.bystanders import Bystanders

_NOTABLE = 0.1  # part of a batch's time
_PAUSE = 0.01  # seconds in which it shows what goes on without any body


def unavailable() -> str | None:
    """The CPU time of a process is known everywhere; that of children that live, where run delay is."""
    return None


@dataclass(frozen=True, slots=True)
class UsedCpu:
    """CPU time, in seconds, that a process has used so far, and that its ended children have."""

    process: float
    ended: float

    @classmethod
    def now(cls) -> UsedCpu:
        """Return what this process has used."""
        return cls(CLOCKS.process_cpu(), CLOCKS.children_cpu())

    @property
    def total(self) -> float:
        """Both together, in seconds."""
        return self.process + self.ended


class HelperThreads:
    """From its making to :meth:`finish`: CPU time of this process, and of its children if they are looked at."""

    def __init__(self, children: bool) -> None:
        self._look = children
        self._alive = process_usage.descendants() if children else {}
        self._used, self._own = UsedCpu.now(), CLOCKS.thread_cpu()

    def finish(self, workers: float = 0.0, since: UsedCpu | None = None) -> None:
        """Take the readings.

        :param workers: CPU time of other threads than this that are no helpers, in seconds.
        :param since: what had been used when the batch began, if that was after this was made. Without it, what
            ``setup=`` computes in the threads of a pool would count as help for a body that only waits.
        """
        begun = since or self._used
        own = CLOCKS.thread_cpu() - self._own
        now = UsedCpu.now()
        threads = now.process - begun.process - own - workers
        ended = now.ended - begun.ended
        self.living_children: float = 0.0
        if self._look:
            self.living_children, ended = process_usage.children_since(self._alive, process_usage.descendants(), ended)
        self.cpu: float = max(0.0, threads) + ended + self.living_children


def watched(run: Callable[[], Reading]) -> Reading:
    """Run the batch of a process's only worker, and count what its helpers compute as its own.

    Child processes too, also those that live on: a body that has a process of its own compute would seem to wait.
    """
    beside = HelperThreads(children=True)
    reading = run()
    beside.finish()
    return credit([reading], beside.cpu)[0]


def credit(readings: Sequence[Reading], helpers_cpu: float) -> tuple[Reading, ...]:
    """Count what helpers computed as the computing of the workers that waited for them meanwhile."""
    wall = max(reading.end for reading in readings) - min(reading.start for reading in readings)
    if helpers_cpu <= _NOTABLE * wall:
        return tuple(readings)
    each = helpers_cpu / len(readings)
    return tuple(
        replace(reading, cpu=reading.cpu + min(each, reading.blocked), accounting="unseen") for reading in readings
    )


def background(known: Bystanders) -> float:
    """Return how many CPUs this process and its children use while no body runs, besides the ``known`` threads."""
    began = CLOCKS.wall()
    before = known.used()
    idle = HelperThreads(children=True)
    CLOCKS.sleep(_PAUSE)
    idle.finish(known.computed(before))
    return idle.cpu / (CLOCKS.wall() - began)
