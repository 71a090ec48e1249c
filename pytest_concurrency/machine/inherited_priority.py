"""A higher priority for one batch of code that starts threads and processes of its own, and for all of these.

:mod:`.priority` raises threads that are known before a batch, and nothing inherits it. Here, what the calling thread
starts inherits its priority, as it would have to share the CPUs with other programs otherwise. At the end, every
descendant that has it still is given back the one that the calling thread had.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Collection, Iterator

from pytest_concurrency.machine import priority, task_tree, watchdog
from pytest_concurrency.machine.priority import Before, Priority

_LOOKS = 20  # at the end; each finds what a thread has started that the one before was about to lower


@contextlib.contextmanager
def raised(higher: Priority, helpers: Collection[int], seconds: float) -> Iterator[None]:
    """Give the calling thread a higher priority, and what it starts, and threads that exist already, for one batch.

    :param helpers: numbers of threads of this process, or of its descendants, that work for the batch too.
    :param seconds: after which the watchdog takes real-time priority away.
    """
    if higher.kind == "off":
        yield
        return
    caller = threading.get_native_id()
    if higher.kind == "realtime":
        watchdog.start()
    # A number may have passed to another program's thread since it was noted.
    alive = [thread for _, thread in task_tree.threads_of([os.getpid()])]
    untouched = {thread for thread in alive if priority.has(higher, thread)}
    before: dict[int, Before] = {}
    try:
        with watchdog.watching(None, seconds) if higher.kind == "realtime" else contextlib.nullcontext():
            for thread in (caller, *(thread for thread in alive if thread in helpers and thread != caller)):
                with contextlib.suppress(OSError):  # it has ended
                    before[thread] = priority.give(thread, higher, inherited=True)
                # Without the right to take off its SCHED_RESET_ON_FORK, the caller stays as it is. Its helpers do too:
                # raised, they could keep it from the CPUs.
                if caller not in before:
                    break
            yield
    finally:
        for thread, known in before.items():
            with contextlib.suppress(OSError):
                priority.give_back(thread, known)
        if caller in before:
            _lower_heirs(higher, before[caller], untouched)


def _lower_heirs(higher: Priority, ordinary: Before, untouched: Collection[int]) -> None:
    """Give all that still have the priority an ordinary one; they may be starting more while this looks."""
    for _ in range(_LOOKS):
        heirs = [
            thread
            for _, thread in task_tree.threads_of([os.getpid()])
            if thread not in untouched and priority.has(higher, thread)
        ]
        for thread in heirs:
            with contextlib.suppress(OSError):
                priority.give_back(thread, ordinary)
        if not heirs:
            return
