"""Helpers: threads and processes other than the workers that compute for a test body.

The body starts them, or hands work to them. A worker that waits for them looks idle. Their CPU time is known; how long
they waited for a CPU is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pytest_concurrency.core.model import Reading
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes import process_usage
from pytest_concurrency.probes.bystanders import Bystanders

_NOTABLE = 0.1  # helpers that compute for at most this part of a batch's time are ignored
_PAUSE = 0.01  # seconds of one sample of what this process does while no body runs


def unavailable() -> str | None:
    """Return None: a process's CPU time can be read everywhere; that of live children, where run-queue delay can."""
    return None


@dataclass(frozen=True, slots=True)
class UsedCpu:
    """CPU time, in seconds, that a process and its ended children have used so far."""

    process: float
    ended: float

    @classmethod
    def now(cls) -> UsedCpu:
        """Return what this process and its ended children have used until now."""
        return cls(CLOCKS.process_cpu(), CLOCKS.children_cpu())

    @property
    def total(self) -> float:
        """Both together, in seconds."""
        return self.process + self.ended


class HelperThreads:
    """Measures the CPU time of helpers from its creation to :meth:`finish`; with ``children``, of live children too."""

    def __init__(self, children: bool) -> None:
        self._look = children
        self._alive = process_usage.descendants() if children else {}
        self._used, self._own = UsedCpu.now(), CLOCKS.thread_cpu()

    def finish(self, workers: float = 0.0, since: UsedCpu | None = None) -> None:
        """Take the readings.

        :param workers: CPU time, in seconds, of threads that are not helpers, without the calling one.
        :param since: what had been used when the batch began, if that was after this object was created. Without it,
            what ``setup=`` computes in the threads of a pool would count as help for a body that only waits.
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
    """Run the batch of a process's only worker, and add its helpers' CPU time to its own.

    Child processes count too, even those that live on. Otherwise, a body that lets a child process compute would seem
    to wait.
    """
    beside = HelperThreads(children=True)
    reading = run()
    beside.finish()
    return credit([reading], beside.cpu)[0]


def credit(readings: Sequence[Reading], helpers_cpu: float) -> tuple[Reading, ...]:
    """Add the helpers' CPU time to that of the workers, each up to the time for which it was blocked."""
    wall = max(reading.end for reading in readings) - min(reading.start for reading in readings)
    if helpers_cpu <= _NOTABLE * wall:
        return tuple(readings)
    each = helpers_cpu / len(readings)
    return tuple(
        replace(reading, cpu=reading.cpu + min(each, reading.blocked), accounting="unseen") for reading in readings
    )


def background(known: Bystanders) -> float:
    """Return how many CPUs this process and its children use while no body runs, without the ``known`` bystanders."""
    began = CLOCKS.wall()
    before = known.used()
    idle = HelperThreads(children=True)
    CLOCKS.sleep(_PAUSE)
    idle.finish(known.computed(before))
    return idle.cpu / (CLOCKS.wall() - began)
