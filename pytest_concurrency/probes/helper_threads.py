"""Helpers: threads and processes other than the workers that compute for a test body.

The body starts them, or hands work to them. A worker that waits for them looks idle. Their CPU time is known. How long
they waited for a CPU is known where it was asked for, and nearly all of that CPU time is that of tasks which live on or
have reported their end.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from pytest_concurrency.core.model import Reading
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes import process_usage
from pytest_concurrency.probes.bystanders import Bystanders
from pytest_concurrency.probes.ended_tasks import ENDED, Totals

_NOTABLE = 0.1  # helpers that compute, and wait for a CPU, for at most this part of a batch's time are ignored
_UNSEEN = 0.05  # part of the helpers' CPU time that may be of those whose run delay is unknown
_HARDLY = 0.01  # part of a batch's time for which these may compute in any case
_END = 0.2e-3  # seconds of CPU time that a thread takes at most to end after it has reported that
_ENDS = 0.05  # part of a batch's time that the ends of all threads may have taken so
_PAUSE = 0.01  # seconds of one sample of what this process does while no body runs


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
    """Measures what helpers do from its creation to :meth:`finish`: their CPU time, and their run delay if asked for.

    Live children count with ``children``. With ``delays``, each thread that ends costs some tenths of a millisecond
    (:mod:`.ended_tasks`), so that is for busy machines.
    """

    def __init__(self, children: bool, delays: bool = False) -> None:
        self._look = children
        self._delays = delays
        self._mark: int | None = None
        self._ended: Totals | None = None
        self._at_end: tuple[UsedCpu, float, Totals] | None = None
        self._before = self._tasks()
        self._began = CLOCKS.wall()
        self._used, self._own = UsedCpu.now(), CLOCKS.thread_cpu()

    def __enter__(self) -> HelperThreads:
        """Note what ends in the block, which is a batch; :meth:`finish` is called after it."""
        self._mark = ENDED.watch() if self._delays else None
        return self

    def __exit__(self, *error: object) -> None:
        mark, self._mark = self._mark, None
        if mark is not None:
            try:
                # First: threads that end between the two, as anyio's do after the batch, would have ended unseen.
                self._at_end = self._now()
            finally:  # a time limit's signal may arrive while this reads
                self._ended = ENDED.leave(mark)

    def finish(
        self,
        workers: float = 0.0,
        since: UsedCpu | None = None,
        aside: Collection[int] = (),
        bystanders: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Take the readings.

        :param workers: CPU time, in seconds, of the workers' threads, without the calling one.
        :param since: what had been used when the batch began, if that was after this object was created. Without it,
            what ``setup=`` computes in the threads of a pool would count as help for a body that only waits.
        :param aside: native ids of threads that are not helpers; the calling one need not be among them.
        :param bystanders: returns the CPU time, in seconds, of the bystanders.
        """
        begun = since or self._used
        now, own_now, after = self._at_end or self._now()
        own = own_now - self._own
        # Read last: what a busy thread computes between the two readings, up to a switch interval, is no help.
        self.bystanders_cpu: float = bystanders()
        everything = now.process - self._used.process - own
        threads = now.process - begun.process - own - workers - self.bystanders_cpu
        ended = now.ended - begun.ended
        self.living_children: float = 0.0
        if self._look:
            self.living_children, ended = process_usage.children_since(self._before, after, ended)
        self.children_cpu: float = ended + self.living_children
        self.cpu: float = max(0.0, threads) + self.children_cpu
        self.delay: float | None = self._delay(after, aside, everything + ended + self.living_children)

    def _now(self) -> tuple[UsedCpu, float, Totals]:
        """Return the CPU time used until now, that of the calling thread, and what the live threads have used."""
        return UsedCpu.now(), CLOCKS.thread_cpu(), self._tasks()

    def _tasks(self) -> Totals:
        """Return CPU time and run delay of the live threads that matter: all of them, or those of child processes."""
        if self._delays:
            return process_usage.everyone()
        return process_usage.descendants() if self._look else {}

    def _delay(self, after: Totals, aside: Collection[int], everything: float) -> float | None:
        """Return the helpers' run delay in seconds: infinite if that of too many is not known, None if not asked for.

        :param after: the live threads at the end.
        :param everything: CPU time, in seconds, of all threads but the calling one, and of all child processes.
        """
        if self._ended is None:
            return None
        work = process_usage.Work.since(self._before, after, self._ended).without({threading.get_native_id()})
        # A body that only waits in its threads computes next to nothing there, and these may wait long for a CPU.
        passed = CLOCKS.wall() - self._began
        unknown = everything - work.cpu - min(_END * len(self._ended), _ENDS * passed)
        return work.without(aside).delay if unknown <= max(_UNSEEN * self.cpu, _HARDLY * passed) else math.inf


def watched(run: Callable[[], Reading], delays: bool = False) -> Reading:
    """Run the batch of a process's only worker, and add its helpers' CPU time to its own.

    Child processes count too, even those that live on. Otherwise, a body that lets a child process compute would seem
    to wait.

    :param delays: whether the run delay of the helpers is read too.
    """
    beside = HelperThreads(children=True, delays=delays)
    with beside:
        reading = run()
    beside.finish()
    return replace(credit([reading], beside.cpu, beside.delay)[0], children_cpu=beside.children_cpu)


def with_ended_threads(run: Callable[[], Reading], delays: bool) -> Reading:
    """Run the batch of an interpreter's only worker, and note how long its own threads that end waited for a CPU.

    The test's interpreter sees the CPU time of all threads of the process, but not the end of those of another one.

    :param delays: whether that run delay is read.
    """
    if not delays:
        return run()
    with ENDED.watching():
        reading = run()
        delay = sum(waited for _, waited in ENDED.threads().values())
    return credit([reading], 0.0, delay)[0]


def credit(readings: Sequence[Reading], helpers_cpu: float, delay: float | None = None) -> tuple[Reading, ...]:
    """Add the helpers' CPU time to that of the workers, each up to the time for which it did not compute itself.

    While a worker waited for a CPU, its helpers may have had that CPU, or others while its helpers had another one.

    :param delay: run delay of the helpers, in seconds; infinite if it is not known, None if it was not asked for.
    """
    wall = max(reading.end for reading in readings) - min(reading.start for reading in readings)
    if helpers_cpu + (delay or 0.0) <= _NOTABLE * wall:
        return tuple(readings)
    each = helpers_cpu / len(readings)
    known = None if delay is None or math.isinf(delay) else delay
    credited = []
    for reading in readings:
        instead = min(max(0.0, each - reading.blocked), reading.delay or 0.0)
        credited.append(
            replace(
                reading,
                cpu=reading.cpu + min(each, reading.blocked) + instead,
                delay=None if reading.delay is None else reading.delay - instead,
                accounting="unseen" if known is None else "helped",
                helpers_delay=(known or 0.0) / len(readings) + instead,
            )
        )
    return tuple(credited)


def background(known: Bystanders) -> float:
    """Return how many CPUs this process and its children use while no body runs, without the ``known`` bystanders."""
    began = CLOCKS.wall()
    before = known.used()
    idle = HelperThreads(children=True)
    CLOCKS.sleep(_PAUSE)
    idle.finish(bystanders=lambda: known.computed(before))
    return idle.cpu / (CLOCKS.wall() - began)
