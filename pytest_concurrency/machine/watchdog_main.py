"""What the watchdog's process runs, as a script: it imports as little as possible, to be small and to start fast.

Its arguments are the number of an open file with what watchdog.py has written, and that of the process to watch.
"""

import contextlib
import os
import select
import struct
import sys
import time

_open = open  # a test may replace it, in the process that imports this

SIZE = 4096
# When a batch is late, by the clock of time.monotonic(), how many threads follow, and whether others may have inherited
# their priority.
HEAD = struct.Struct("dII")
THREAD = struct.Struct("i")
MOST = (SIZE - HEAD.size) // THREAD.size  # threads
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
        give_back(memory, time.monotonic(), process, session)
    give_back(memory, float("inf"), process, session)  # what was started by the process may live on


def give_back(memory: int, now: float, process: int, session: int) -> None:
    """Give the threads of the batch that goes on the ordinary priority, if it is late."""
    data = os.pread(memory, SIZE, 0)
    late, count, inherited = HEAD.unpack_from(data)
    if not 0 < late < now:
        return
    for place in range(min(count, MOST)):
        (thread,) = THREAD.unpack_from(data, HEAD.size + place * THREAD.size)
        lower(thread)
    if inherited:
        for thread in heirs(process, session):
            lower(thread)


def lower(thread: int) -> None:
    """Give a thread the ordinary priority if it has real-time priority."""
    with contextlib.suppress(OSError):  # it has ended
        if os.sched_getscheduler(thread) & ~os.SCHED_RESET_ON_FORK in (os.SCHED_RR, os.SCHED_FIFO):
            # Without a right, the flag cannot be taken off.
            os.sched_setscheduler(thread, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))


def heirs(process: int, session: int) -> "list[int]":
    """Return the threads that may have inherited a priority: of a process, of its descendants, and of orphans.

    What a process has started is no descendant of it any more once it was killed, but it is in its session still. What
    other programs of that session have started there has its parent.
    """
    found: list[int] = []
    known = processes()
    roots = {process, *orphans(known, session)}
    for each in known:
        ancestor = each
        while ancestor not in roots and ancestor in known:
            ancestor = known[ancestor][0]
        if each != os.getpid() and ancestor in roots:
            with contextlib.suppress(OSError):
                found += map(int, os.listdir(f"/proc/{each}/task"))
    return found


def orphans(known: "dict[int, tuple[int, int]]", session: int) -> "set[int]":
    """Return those of a session whose parent has ended: another one has adopted them, as a rule the first process."""
    return {
        process
        for process, (parent, its) in known.items()
        if its == session and process != session and (parent == 1 or parent not in known or known[parent][1] != session)
    }


def processes() -> "dict[int, tuple[int, int]]":
    """Return the parent and the session of each process of the machine (proc_pid_stat(5)); empty without ``/proc``."""
    found: dict[int, tuple[int, int]] = {}
    with contextlib.suppress(OSError):
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError, IndexError), _open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()  # from the third one on
                found[int(name)] = int(fields[1]), int(fields[3])
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
