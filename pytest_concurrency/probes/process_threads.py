"""CPU time and run-queue delay of all threads of this process, beside a probe of the GIL or of an event loop.

A thread that holds the GIL and waits for a CPU keeps all other Python threads waiting.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Collection, Mapping

from pytest_concurrency.machine import task_tree
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes.ended_tasks import ENDED
from pytest_concurrency.probes.thread_clock import schedstat, unavailable

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
        seen = left_out = delay = 0.0
        for thread, (cpu, waited) in self._spent().items():
            cpu_before, waited_before = self._before.get(thread, (0.0, 0.0))
            seen += max(0.0, cpu - cpu_before)
            if thread in aside:
                left_out += max(0.0, cpu - cpu_before)
            else:
                delay += max(0.0, waited - waited_before)
        self.cpu: float = max(0.0, process - own - left_out)
        """CPU time, in seconds."""
        self.delay: float = delay if process - own - seen <= _UNSEEN else math.inf
        """Run-queue delay, in seconds; infinite if a thread that has ended may have had any."""

    def _spent(self) -> dict[int, tuple[float, float]]:
        if not self._is_readable:
            return {}
        me = threading.get_native_id()
        live = {thread: spent for thread in task_tree.threads_in(os.getpid()) if (spent := schedstat(thread))}
        return {thread: spent for thread, spent in {**ENDED.threads(), **live}.items() if thread != me}


def cpu_by_thread() -> dict[int, float]:
    """Return the CPU time, in seconds, that each Python thread has used, and those that have reported their end.

    Unlike reading a file, this keeps the GIL. It is empty on a platform without the clock of another thread.
    """
    if not hasattr(time, "pthread_getcpuclockid"):
        return {}
    used = {thread: cpu for thread, (cpu, _) in ENDED.threads().items()}
    for thread in threading.enumerate():
        # A thread that Python has not started may be gone. To ask for the clock of such a one can crash Python.
        if isinstance(thread, threading._DummyThread) or thread.ident is None or thread.native_id is None:
            continue
        with contextlib.suppress(OSError):
            used[thread.native_id] = time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
    return used


def all_but_the_most_active(before: Mapping[int, float], after: Mapping[int, float], total: float) -> float:
    """Return the CPU time, in seconds, that all threads but one have used, if it is the one that has used most (pure).

    :param total: what all threads have used. If it is more than ``after`` shows, the rest was a single thread, too.
    """
    each = [max(0.0, cpu - before.get(thread, 0.0)) for thread, cpu in after.items()]
    each.append(max(0.0, total - sum(each)))
    return sum(each) - max(each)
