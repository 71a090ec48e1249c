"""All live threads of a process and of its descendants, as Linux lists them (proc_pid_task(5))."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator


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
    parents: dict[int, int] = {}
    mine = str(os.getsid(0)).encode()
    with contextlib.suppress(OSError):
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError, IndexError), open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()  # proc_pid_stat(5), from the third field on
                if fields[3] == mine:
                    parents[int(name)] = int(fields[1])
    for process, parent in parents.items():
        if parent not in parents and process != os.getsid(0):
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
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{process}/task/{thread}/children", "rb") as file:
        return [int(number) for number in file.read().split()]
    return []
