"""CPU time and run-queue delay of the user's own code: of all its threads and child processes.

Workers that live on (a pool made once) are read before and after; those that start and end in between report when they
end (:mod:`.ended_tasks`). Of what is missed there, only the CPU time is known.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from types import TracebackType

from pytest_concurrency.core.model import Accounting, Reading
from pytest_concurrency.machine import task_tree
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes.ended_tasks import ENDED, Totals
from pytest_concurrency.probes.thread_clock import ThreadClock, schedstat, unavailable

_ASIDE = 0.01  # if other threads were active for at most this part of the time, one thread did all the work
_UNSEEN = 0.1  # part of the CPU time that may have been used by workers whose run-queue delay is unknown
_IDLING = 0.1  # part of the time for which unrelated native threads, such as a test runner's, may be busy
_REAPED_TICK = 0.015  # seconds; on some systems, CPU time of ended children ticks every 10 ms: less is no evidence


class ProcessUsage:
    """Reads everything that this process and its children do between enter and exit.

    With ``short_lived``, threads and processes that start and end in that time report their run-queue delay. This costs
    each of them some tenths of a millisecond (the kernel creates a thread's files at the first access), so it is for
    busy machines only.
    """

    def __init__(self, short_lived: bool) -> None:
        self.short_lived = short_lived

    def __enter__(self) -> ProcessUsage:
        self._mark = ENDED.watch() if self.short_lived else None
        try:
            self._begin()
        except BaseException:  # a time limit's signal may arrive while this reads
            self._leave()
            raise
        return self

    def _begin(self) -> None:
        self._clock = ThreadClock()
        self._before = everyone()
        me, python = os.getpid(), {thread.native_id for thread in threading.enumerate()}
        self._native = [who for who in self._before if who[0] == me and who[1] not in python]
        self._reaped_before = CLOCKS.children_cpu()
        self._cpu = CLOCKS.process_cpu()
        self._begun = self._clock.begin()

    def _leave(self) -> Totals:
        """Return what threads and processes had used that have ended; their ends are noted no more."""
        mark, self._mark = self._mark, None
        return {} if mark is None else ENDED.leave(mark)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            own = self._clock.finish(self._begun, None)
            cpu = CLOCKS.process_cpu() - self._cpu
        finally:
            ended = self._leave()
            self._clock.close()
        after = everyone()
        work = Work.since(self._before, after, ended)
        delay = work.without({threading.get_native_id()}).delay
        # No other counter has the CPU time of live children. The run delay of ended ones is known if it was reported.
        children_cpu, ended_cpu = children_since(self._before, after, CLOCKS.children_cpu() - self._reaped_before)
        unseen = max(0.0, ended_cpu - work.ended_children)
        self.children_cpu: float = children_cpu
        if own.delay is None:
            # Where run-queue delay cannot be read, live children cannot be read either, and may have worked.
            unseen = max(unseen, own.wall if _children_alive() else 0.0)
        total = None if own.delay is None else own.delay + delay
        gone = max(ended_cpu, unseen)
        whole = cpu + self.children_cpu + gone
        accounting: Accounting = "seen"
        if unseen > max(_UNSEEN * whole, _REAPED_TICK):
            accounting = "unseen"
        elif total is not None and not gone and max(whole - own.cpu, delay) <= _ASIDE * own.wall:
            accounting = "one"
        elif _worked(self._native, self._before, after, _IDLING * own.wall):
            accounting = "native"
        self.reading: Reading = Reading(own.start, own.end, whole, total, switches=own.switches, accounting=accounting)


@dataclass(frozen=True, slots=True)
class Work:
    """What each thread of this process and of its descendants did in some time: CPU time and run-queue delay."""

    tasks: Totals
    ended_children: float  # CPU time of child processes that have ended and reported it

    @classmethod
    def since(cls, before: Totals, after: Totals, ended: Totals) -> Work:
        """Return what was done between two readings of live threads; ``ended`` did so in between.

        What has reported its end may still be listed for a moment, and does not count twice.
        """
        alive = {process for process, _ in after}
        tasks = {
            task: (max(0.0, cpu - known[0]), max(0.0, delay - known[1]))
            for task, (cpu, delay) in {**ended, **after}.items()
            for known in (before.get(task, (0.0, 0.0)),)
        }
        return cls(tasks, sum(tasks[task][0] for task in ended if task[0] not in alive))

    @property
    def cpu(self) -> float:
        return sum(cpu for cpu, _ in self.tasks.values())

    @property
    def delay(self) -> float:
        return sum(delay for _, delay in self.tasks.values())

    def without(self, threads: Collection[int]) -> Work:
        """Return the same without some threads of this process."""
        me = os.getpid()
        aside = {(me, thread) for thread in threads}
        return replace(self, tasks={task: spent for task, spent in self.tasks.items() if task not in aside})


def _worked(threads: Iterable[tuple[int, int]], before: Totals, after: Totals, least: float) -> bool:
    """Whether one of these threads ran, or waited for a CPU, for more than ``least`` seconds."""
    return any(sum(after.get(who, before[who])) - sum(before[who]) > least for who in threads)


def everyone() -> Totals:
    """Return CPU time and run-queue delay of every live thread of this process and of its descendants."""
    return _totals_of([os.getpid()])


def active_since(before: Totals) -> dict[int, tuple[float, float]]:
    """Return CPU time and run-queue delay, in seconds, of each thread that lives, since then; without idle threads."""
    active = {}
    for who, (cpu, delay) in everyone().items():
        cpu_before, delay_before = before.get(who, (0.0, 0.0))
        if cpu > cpu_before or delay > delay_before:
            active[who[1]] = cpu - cpu_before, delay - delay_before
    return active


def descendants() -> dict[tuple[int, int], tuple[float, float]]:
    """Return CPU time and run-queue delay, in seconds, of every live thread of this process's descendants.

    The keys are process and thread ids; empty where that cannot be read.
    """
    return {} if unavailable() is not None else _totals_of(children())


def children() -> list[int]:
    """Return the ids of this process's child processes; call it only where :func:`unavailable` returns None."""
    if not _has_children():
        return []
    me = os.getpid()
    return [child for thread in task_tree.threads_in(me) for child in task_tree.children_of(me, thread)]


def children_since(before: Totals, after: Totals, ended: float) -> tuple[float, float]:
    """Return the CPU time, in seconds, that live children have used since ``before``, and that of children since ended.

    :param ended: CPU time of the latter over their whole lives; what they had used before is subtracted.
    """
    me = os.getpid()
    living = sum(
        max(0.0, cpu - before.get((process, thread), (0.0, 0.0))[0])
        for (process, thread), (cpu, _) in after.items()
        if process != me
    )
    alive = {process for process, _ in after}
    known = sum(cpu for (process, _), (cpu, _) in before.items() if process not in alive and process != me)
    return living, max(0.0, ended - known)


def _has_children() -> bool:
    """Whether there is any child process: this takes one system call, and a search takes several for each thread."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _totals_of(processes: list[int]) -> Totals:
    totals: Totals = {}
    if unavailable() is not None:
        return totals
    for process, thread in task_tree.threads_of(processes):
        if (spent := schedstat(thread, process)) is not None:
            totals[process, thread] = spent
    return totals


def _children_alive() -> bool:
    import multiprocessing

    return bool(multiprocessing.active_children())
