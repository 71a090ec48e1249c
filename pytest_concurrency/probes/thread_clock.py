"""Thread clock: how long the calling thread was on a CPU, waited for one, or was blocked.

Thread state analysis after Brendan Gregg, *Systems Performance*, 2nd ed. (2020), section 5.4.2.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Collection, Mapping

from pytest_concurrency.core.errors import CannotMeasure
from pytest_concurrency.core.model import Reading
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.originals import open_descriptor, open_file

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_SCHEDSTAT = "/proc/thread-self/schedstat"
_DISABLE = "PYTEST_CONCURRENCY_NO_RUN_DELAY"

_closing = threading.Lock()
_has_schedstat: list[bool] = []  # not empty once the file was readable: each thread's clock asks

# wall, run delay, voluntary switches, CPU
Stamp = tuple[float, "float | None", "int | None", float]


def unavailable() -> str | None:
    """Return why the run-queue delay cannot be read here, or None if it can."""
    if os.environ.get(_DISABLE):
        return f"run delay is switched off by {_DISABLE}"
    if _has_schedstat:
        return None
    try:
        with open_file(_SCHEDSTAT, "rb") as file:
            fields = file.read().split()
    except OSError:
        return f"run delay needs Linux with {_SCHEDSTAT}"
    if len(fields) != 3 or fields[2] == b"0":
        return "the kernel keeps no scheduler statistics"
    _has_schedstat.append(True)
    return None


def require() -> None:
    """Make sure that the CPU time of one thread can be read, without which nothing can be measured.

    :raises CannotMeasure: this Python has no clock for it.
    """
    if not CLOCKS.has_thread_cpu:
        raise CannotMeasure(
            "this Python has no time.thread_time(), so what a thread computes cannot be told from what it waits for"
        )


def schedstat(thread: int, process: int | str = "self") -> tuple[float, float] | None:
    """Return CPU time and run-queue delay of a thread, in seconds; None if they cannot be read.

    It does not call ``open``, which a test body that it runs beside may have replaced.
    """
    with contextlib.suppress(OSError, ValueError):
        file = open_descriptor(f"/proc/{process}/task/{thread}/schedstat", os.O_RDONLY)
        try:
            cpu, delay, _ = os.read(file, 64).split()
        finally:
            os.close(file)
        return int(cpu) * 1e-9, int(delay) * 1e-9
    return None


def spent_by(thread: int) -> tuple[float, float | None]:
    """Return CPU time and run-queue delay of a thread of this process, in seconds; 0 and None if unreadable."""
    return (schedstat(thread) if unavailable() is None else None) or (0.0, None)


def computed_by(threads: Collection[int]) -> dict[int, float]:
    """Return the CPU time, in seconds, that threads of this process have used; without those that cannot be read."""
    return {thread: cpu for thread, (cpu, _) in _spent(threads).items()}


def active_of(threads: Collection[int]) -> dict[int, float]:
    """Return for how long, in seconds, threads were running or ready to run; without those that cannot be read.

    A thread that is ready to run and has no CPU may hold the GIL for all of that time.
    """
    return {thread: cpu + delay for thread, (cpu, delay) in _spent(threads).items()}


def computed_and_active(threads: Collection[int]) -> tuple[dict[int, float], dict[int, float]]:
    """Return what :func:`computed_by` and :func:`active_of` do, by one reading of each thread."""
    spent = _spent(threads)
    return {thread: cpu for thread, (cpu, _) in spent.items()}, {thread: sum(both) for thread, both in spent.items()}


def growth(before: Mapping[int, float], after: Mapping[int, float]) -> float:
    """Return by how much these readings of threads have grown, in all.

    A thread that has ended is left out. Without this, all of its life would be taken off what the others did.
    """
    return sum(seconds - before[thread] for thread, seconds in after.items() if thread in before)


def _spent(threads: Collection[int]) -> dict[int, tuple[float, float]]:
    if not threads or unavailable() is not None:
        return {}
    return {thread: spent for thread in threads if (spent := schedstat(thread)) is not None}


class ThreadClock:
    """Time stamps of the thread that creates and uses it; close it when that thread ends.

    The run-queue delay is read between the two readings of the wall clock. Kernels with lazy preemption preempt at the
    next system call, so the delay falls into the system calls of the reading itself.
    """

    __slots__ = ("_fd", "_usage", "_who")

    def __init__(self) -> None:
        self._fd = -1
        if unavailable() is None:
            with contextlib.suppress(OSError):
                self._fd = open_descriptor(_SCHEDSTAT, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        who = getattr(resource, "RUSAGE_THREAD", None)
        self._usage = resource.getrusage if who is not None and self._fd >= 0 else None
        self._who = who or 0

    def delay(self) -> float | None:
        """Run-queue delay of this thread so far, in seconds."""
        if self._fd < 0:
            return None
        return int(os.pread(self._fd, 64, 0).split()[1]) * 1e-9

    def switches(self) -> int | None:
        """Number of voluntary context switches of this thread so far."""
        return self._usage(self._who).ru_nvcsw if self._usage else None

    def begin(self) -> Stamp:
        wall = CLOCKS.wall()
        delay = self.delay()
        switches = self.switches()
        return wall, delay, switches, CLOCKS.thread_cpu()

    def finish(self, begun: Stamp, idle_delay: float | None) -> Reading:
        """Return the reading since ``begun``; ``idle_delay`` is the run-queue delay before the batch was released."""
        cpu = CLOCKS.thread_cpu()
        switches = self.switches()
        delay = self.delay()
        wall = CLOCKS.wall()
        wall0, delay0, switches0, cpu0 = begun
        return Reading(
            start=wall0,
            end=wall,
            cpu=cpu - cpu0,
            delay=None if delay is None or delay0 is None else delay - delay0,
            late=None if delay0 is None or idle_delay is None else delay0 - idle_delay,
            switches=None if switches is None or switches0 is None else switches - switches0,
        )

    def close(self) -> None:
        """Close the file. If the thread hangs, another one may call this, even at the same time."""
        with _closing:
            file, self._fd = self._fd, -1
        if file >= 0:
            os.close(file)
