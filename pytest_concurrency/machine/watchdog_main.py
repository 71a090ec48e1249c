"""What the watchdog's process runs, as a script: it imports as little as possible, to be small and to start fast.

Its arguments are the number of an open file with what watchdog.py has written, and that of the process to watch.
"""

import contextlib
import os
import select
import struct
import sys
import time

SIZE = 4096
HEAD = struct.Struct("dI")  # when a batch is late, by the clock of time.monotonic(), and how many threads follow
THREAD = struct.Struct("i")
MOST = (SIZE - HEAD.size) // THREAD.size  # threads
LOOK = 1.0  # seconds between two looks


def main(memory: int, process: int) -> None:
    """Return when the process has ended; until then, give the threads of each late batch the ordinary priority."""
    watched = os.pidfd_open(process)
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
        give_back(memory, time.monotonic())
    give_back(memory, float("inf"))  # what was started by the process may live on


def give_back(memory: int, now: float) -> None:
    """Give the threads of the batch that goes on the ordinary priority, if it is late."""
    data = os.pread(memory, SIZE, 0)
    late, count = HEAD.unpack_from(data)
    if not 0 < late < now:
        return
    for place in range(min(count, MOST)):
        (thread,) = THREAD.unpack_from(data, HEAD.size + place * THREAD.size)
        with contextlib.suppress(OSError):  # it has ended
            if os.sched_getscheduler(thread) & ~os.SCHED_RESET_ON_FORK in (os.SCHED_RR, os.SCHED_FIFO):
                # Without a right, the flag cannot be taken off.
                os.sched_setscheduler(thread, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
