"""CPU time and run-queue delay of all threads of this process, beside a probe of the GIL or of an event loop.

A thread that holds the GIL and waits for a CPU keeps all other Python threads waiting.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping

from pytest_concurrency.machine import task_tree
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes.ended_tasks import ENDED, Totals
from pytest_concurrency.probes.process_usage import Work
from pytest_concurrency.probes.thread_clock import schedstat, unavailable

HELP = 0.001  # seconds that other threads compute beside a probe, and may hold the GIL; less is this plugin's own
_SCHEDULED = 6  # the clock of a thread's CPU time, in the ids of clocks (Linux, include/linux/posix-timers_types.h)
_MOST = 50  # threads whose clocks are read in 0.1 ms
_THROUGHOUT = 0.9  # a thread that computed for this part of a wait for the GIL did not wait for it in turn with others
_clock_gettime: Callable[[int], float] = getattr(time, "clock_gettime", lambda clock: 0.0)  # a body may replace it
_UNSEEN = 0.005  # seconds; the kernel's count of a running thread's CPU time lags by up to a tick, which is 4 or 10 ms


class ProcessThreads:
    """All threads of this process but the calling one, from its creation to :meth:`finish`, in the same thread.

    A thread that ends meanwhile is seen if it reports that (:mod:`.ended_tasks`).
    """

    def __init__(self) -> None:
        # Read now, as this opens a file: later, a test body may have replaced ``open``.
        self._is_readable = unavailable() is None
        self._before = self._spent()
        self._own, self._process = CLOCKS.thread_cpu(), CLOCKS.process_cpu()

    def finish(self, aside: Collection[int]) -> None:
        """Take the readings.

        :param aside: native ids of threads that do not count.
        """
        own, process = CLOCKS.thread_cpu() - self._own, CLOCKS.process_cpu() - self._process
        seen = Work.since(self._before, self._spent(), {}).without({threading.get_native_id()})
        work = seen.without(aside)
        self.cpu: float = max(0.0, process - own - (seen.cpu - work.cpu))
        """CPU time, in seconds."""
        self.delay: float = work.delay if process - own - seen.cpu <= _UNSEEN else math.inf
        """Run-queue delay, in seconds; infinite if a thread that has ended may have had any."""

    def _spent(self) -> Totals:
        if not self._is_readable:
            return {}
        me = os.getpid()
        live = {thread: spent for thread in task_tree.threads_in(me) if (spent := schedstat(thread))}
        return {(me, thread): spent for thread, spent in {**ENDED.threads(), **live}.items()}


def cpu_by_thread() -> dict[int, float] | None:
    """Return the CPU time, in seconds, that each Python thread has used, and those that have reported their end.

    Unlike reading a file, this keeps the GIL. It is empty where the clock of another thread cannot be read. The result
    is None if there are so many threads that reading all clocks would take too long.
    """
    if sys.platform != "linux":
        return {}
    if threading.active_count() > _MOST:
        return None
    used = {thread: cpu for thread, (cpu, _) in ENDED.threads().items()}
    for thread in [thread.native_id for thread in threading.enumerate() if thread.native_id]:
        if (cpu := cpu_of(thread)) is not None:
            used[thread] = cpu
    return used


def cpu_of(thread: int) -> float | None:
    """Return the CPU time of a thread by its native ID, in seconds; None if it has ended or cannot be read."""
    if sys.platform != "linux":
        return None
    # time.pthread_getcpuclockid() would crash Python if the thread has ended.
    with contextlib.suppress(OSError):
        return _clock_gettime(~thread << 3 | _SCHEDULED)
    return None


def in_turn(
    before: Mapping[int, float] | None, after: Mapping[int, float] | None, total: float, seconds: float
) -> float:
    """Return the CPU time, in seconds, of threads that may have held the GIL before or after the longest hold.

    The longest hold is that of a thread that ran throughout, if there is one, else that of the most active thread.

    :param before: CPU time by thread at the beginning of a wait for the GIL, which took ``seconds``.
    :param after: the same at its end.
    :param total: CPU time of all threads in it. If the others explain less, the rest counts as that of one thread.
    """
    if before is None or after is None:
        return total
    each = [max(0.0, cpu - before.get(thread, 0.0)) for thread, cpu in after.items()]
    each.append(max(0.0, total - sum(each)))
    if max(each) >= _THROUGHOUT * seconds:
        return sum(cpu for cpu in each if cpu < _THROUGHOUT * seconds)
    return sum(each) - max(each)
