"""Script of the watchdog process; it imports as little as possible, to be small and to start fast.

Its arguments are the descriptor of the shared memory that watchdog.py writes, and the id of the process to watch.
"""

import contextlib
import os
import select
import struct
import sys
import time
from collections.abc import Callable, Iterable, Iterator

SIZE = 4096
HEAD = struct.Struct("dI")  # when a batch is late, by the clock of time.monotonic(), and how many threads follow
THREAD = struct.Struct("i")
MOST = (SIZE - HEAD.size) // THREAD.size  # threads
ALL = 2**32 - 1  # in the place of their number: all threads of the process and of its descendants
LOOK = 1.0  # seconds between two looks


def main(memory: int, process: int) -> None:
    """Return when the process has ended; until then, give the threads of each late batch the ordinary priority."""
    watched, session = os.pidfd_open(process), os.getsid(process)
    for priority in (2, 1):  # above the threads that it watches, where the limit allows that
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(priority))
            break
    # The first process exits immediately, so the second one is not a child of the watched process. Tests that look for
    # child processes, and the readings of what a body's children use, do not see it.
    if os.fork():
        os._exit(0)
    os.chdir("/")
    poll = select.poll()
    poll.register(watched, select.POLLIN)
    while not poll.poll(LOOK * 1000):
        give_back(memory, time.monotonic(), lambda: threads_of(process))
    # What the process has started may live on.
    give_back(memory, float("inf"), lambda: orphans_in(session))


def give_back(memory: int, now: float, everyone: Callable[[], Iterable[int]]) -> None:
    """Give the threads of the batch that goes on the ordinary priority, if it is late.

    :param everyone: returns the threads of a batch that has not named them.
    """
    data = os.pread(memory, SIZE, 0)
    late, count = HEAD.unpack_from(data)
    if not 0 < late < now:
        return
    named = (THREAD.unpack_from(data, HEAD.size + place * THREAD.size)[0] for place in range(min(count, MOST)))
    for thread in everyone() if count == ALL else named:
        with contextlib.suppress(OSError):  # it has ended
            if os.sched_getscheduler(thread) & ~os.SCHED_RESET_ON_FORK in (os.SCHED_RR, os.SCHED_FIFO):
                # Without a right, the flag cannot be taken off.
                os.sched_setscheduler(thread, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))


def threads_of(process: int) -> Iterator[int]:
    """Yield all threads of a process and of its descendants, as task_tree.py does for those who may import it."""
    todo = [process]
    while todo:
        process = todo.pop()
        for thread in threads_in_process(process):
            yield thread
            with contextlib.suppress(OSError), open(f"/proc/{process}/task/{thread}/children", "rb") as file:
                todo.extend(map(int, file.read().split()))


def orphans_in(session: int) -> Iterator[int]:
    """Yield all threads of those processes of a session (setsid(2)) that have lost their parent, and of their heirs.

    The processes of another pytest that runs in the same terminal have not.
    """
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if int(name) != session == os.getsid(int(name)) and os.getsid(parent_of(int(name))) != session:
                yield from threads_of(int(name))


def parent_of(process: int) -> int:
    """Return the number of a process's parent.

    :raises OSError: it has ended.
    """
    with open(f"/proc/{process}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[1])


def threads_in_process(process: int) -> list[int]:
    """Return the threads of a process; none if it has ended."""
    try:
        return [int(name) for name in os.listdir(f"/proc/{process}/task")]
    except OSError:
        return []


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
