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
        try:
            threads = os.listdir(f"/proc/{process}/task")
        except OSError:
            continue
        for thread in threads:
            yield process, int(thread)
            with (
                contextlib.suppress(OSError, ValueError),
                open(f"/proc/{process}/task/{thread}/children", "rb") as file,
            ):
                todo.extend(map(int, file.read().split()))
