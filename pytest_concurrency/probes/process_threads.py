"""CPU time and run-queue delay of this process's threads, read again and again while a batch runs.

Two readings bound what an interval of time between them contained of both.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from pytest_concurrency.machine import task_tree
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes.ended_tasks import ENDED
from pytest_concurrency.probes.thread_clock import schedstat, unavailable


class _Reading(NamedTuple):
    """What each thread had spent, at some time between ``begun`` and ``ended``."""

    begun: float
    ended: float
    spent: Mapping[int, tuple[float, float]]  # CPU time and run-queue delay, in seconds


class ProcessThreads:
    """All threads of this process but the calling one; the first reading is taken at once.

    A thread that starts and ends between two readings is missed, unless it reports its end (:mod:`.ended_tasks`).
    """

    def __init__(self) -> None:
        self._own = threading.get_native_id()
        self._readings: list[_Reading] = []
        self.read()

    def read(self) -> None:
        """Take a reading."""
        begun = CLOCKS.wall()
        spent = dict(self._readings[-1].spent) if self._readings else {}  # what has ended does not count as less
        if unavailable() is None:
            for thread in task_tree.threads_in(os.getpid()):
                if thread != self._own and (found := schedstat(thread)) is not None:
                    spent[thread] = found
            spent.update(ENDED.threads())
        self._readings.append(_Reading(begun, CLOCKS.wall(), spent))

    def cpu(self, aside: Collection[int]) -> float:
        """Return the CPU time of all threads up to the last reading, in seconds, without that of some."""
        return sum(cpu for cpu, _ in _growth(self._readings[0], self._readings[-1], aside))

    def delay(self, start: float, end: float, aside: Collection[int] = ()) -> float:
        """Return for how many seconds threads waited for a CPU, at most, between two times of the wall clock.

        The end may be after the last reading, which then counts.
        """
        before = [reading for reading in self._readings if reading.ended <= start] or self._readings[:1]
        after = [reading for reading in self._readings if reading.begun >= end] or self._readings[-1:]
        return sum(delay for _, delay in _growth(before[-1], after[0], aside))


def _growth(before: _Reading, after: _Reading, aside: Collection[int]) -> Iterator[tuple[float, float]]:
    for thread, (cpu, delay) in after.spent.items():
        if thread not in aside:
            cpu_before, delay_before = before.spent.get(thread, (0.0, 0.0))
            yield cpu - cpu_before, delay - delay_before
