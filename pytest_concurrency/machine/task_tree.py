"""All live threads of a process and of its descendants, as Linux lists them (proc_pid_task(5))."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator

from pytest_concurrency.machine import watchdog_main
from pytest_concurrency.machine.originals import open_file


def threads_of(processes: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield process and thread of each live thread of these processes and of all that descends from them.

    Nothing where ``/proc`` cannot be read. A process whose parent has ended is no descendant any more.
    """
    todo = list(processes)
    while todo:
        process = todo.pop()
        for thread in threads_in(process):
            yield process, thread
            todo.extend(children_of(process, thread))


def orphans() -> Iterator[tuple[int, int]]:
    """Yield process and thread of each live thread in this session whose process has lost its parent.

    A process that was started by one that has ended since is no descendant of this process any more.
    """
    for process in watchdog_main.orphans(watchdog_main.processes(), os.getsid(0)):
        for thread in threads_in(process):
            yield process, thread


def threads_in(process: int) -> list[int]:
    """Return the threads of a process; none if it has ended, or cannot be read."""
    try:
        return [int(name) for name in os.listdir(f"/proc/{process}/task")]
    except OSError:
        return []


def children_of(process: int, thread: int) -> list[int]:
    """Return the child processes that a thread has started; none if it has ended, or cannot be read."""
    with contextlib.suppress(OSError, ValueError), open_file(f"/proc/{process}/task/{thread}/children", "rb") as file:
        return [int(number) for number in file.read().split()]
    return []
