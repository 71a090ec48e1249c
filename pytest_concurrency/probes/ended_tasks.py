"""CPU time and run-queue delay of threads and child processes that end while they are watched.

The kernel forgets both with the task. So a thread reports them itself, at the end of all Python code that it runs, and
those of a child process are read in ``os.waitpid``, between its end and the call that removes it: ``subprocess``,
``multiprocessing`` and ``asyncio`` wait for their processes there. Both functions are replaced only while someone
watches.

Missed are threads that native code starts, and processes that are waited for in another way. A caller finds them by the
CPU time that is left over.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.replaced import Replaced
from pytest_concurrency.probes.thread_clock import schedstat, unavailable

Task = tuple[int, int]  # process and thread
Totals = dict[Task, tuple[float, float]]  # CPU time and run-queue delay, in seconds

# It is the same for all classes of threads; a threading.Timer has a ``run`` of its own.
WHOLE_THREAD = "_bootstrap_inner" if hasattr(threading.Thread, "_bootstrap_inner") else "run"


@dataclass(frozen=True, slots=True)
class _End:
    """What a task had used when it ended, in seconds."""

    task: Task
    cpu: float
    delay: float


class _EndedTasks:
    """Notes the tasks that end while at least one watcher is active."""

    def __init__(self) -> None:
        self._ends: list[_End] = []
        self._watchers = 0
        self._process = 0  # a process that is forked meanwhile has the replaced functions too, and no watcher
        self._lock = threading.Lock()
        self._run = Replaced(threading.Thread, WHOLE_THREAD, self._reporting_thread)
        self._wait = Replaced(os, "waitpid", self._reporting_wait)

    def watch(self) -> int | None:
        """Begin to note; return what :meth:`leave` has to be called with, or None if nothing can be noted here."""
        if unavailable() is not None or not hasattr(os, "waitid"):
            return None
        with self._lock:
            self._watchers += 1
            if self._watchers == 1:
                self._process = os.getpid()
                self._run.install()
                self._wait.install()
            return len(self._ends)

    def leave(self, mark: int) -> Totals:
        """Return CPU time and run-queue delay of each task that has ended since :meth:`watch` returned ``mark``."""
        with self._lock:
            found = {end.task: (end.cpu, end.delay) for end in self._ends[mark:]}
            self._watchers -= 1
            if self._watchers == 0:
                self._run.restore()
                self._wait.restore()
                self._ends.clear()
            return found

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Note the tasks that end in the block, for :meth:`threads`."""
        mark = self.watch()
        try:
            yield
        finally:
            if mark is not None:
                self.leave(mark)

    def threads(self) -> dict[int, tuple[float, float]]:
        """Return CPU time and run-queue delay of each thread of this process that has ended while someone watched."""
        me = os.getpid()
        return {end.task[1]: (end.cpu, end.delay) for end in list(self._ends) if end.task[0] == me}

    def _reporting_thread(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def run(thread: threading.Thread) -> None:
            try:
                original(thread)
            finally:
                self._note(os.getpid(), threading.get_native_id())

        return run

    def _reporting_wait(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def waitpid(pid: int, options: int, /) -> tuple[int, int]:
            # With another option, it may not wait for an end. A handler of SIGCHLD may call waitpid itself, between the
            # two calls, and take the process's exit code.
            if pid > 0 and not options & ~os.WNOHANG and not callable(signal.getsignal(signal.SIGCHLD)):
                with contextlib.suppress(OSError):  # not a child of this process: the call itself says so
                    if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | options) is not None:
                        self._note(pid, pid)
            return original(pid, options)  # type: ignore[no-any-return]

        return waitpid

    def _note(self, process: int, thread: int) -> None:
        # No lock: one that another thread holds while a process is forked stays locked in that process for ever.
        if not self._watchers or os.getpid() != self._process or (spent := schedstat(thread, process)) is None:
            return
        # The kernel's count of a running thread's CPU time lags by up to a tick.
        cpu = CLOCKS.thread_cpu() if thread == threading.get_native_id() else spent[0]
        self._ends.append(_End((process, thread), cpu, spent[1]))


ENDED = _EndedTasks()
