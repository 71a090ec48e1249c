"""A higher priority for one batch of code that starts threads and processes of its own, and for all of these.

:mod:`.priority` raises threads that are known before a batch, and nothing inherits it. Here, what the calling thread
starts inherits it, as it would have to share the CPUs with other programs otherwise. At the end of the batch, every
descendant that has it still is given the priority that the calling thread had.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

from pytest_concurrency.machine import priority, task_tree, watchdog
from pytest_concurrency.machine.priority import Before, Priority

_PASSES = 20  # at the end of a batch: a thread may start another one before its own priority is lowered


def raised(
    higher: Priority, helpers: Collection[int], seconds: float = priority.PATIENCE
) -> AbstractContextManager[bool]:
    """Return what gives the calling thread a higher priority, its helpers, and what they start, for one batch.

    Where the calling thread may not be raised so, all stay as they are: without the right to take off
    ``SCHED_RESET_ON_FORK`` once it is set, what the thread starts would have to wait for it.

    :param helpers: threads of this process and of its descendants that work for the batch; others are left alone.
    :param seconds: time after which the watchdog takes real-time priority away.
    :return: the context's value is whether all of them have real-time priority, so that no other program can take a CPU
        from them.
    """
    if higher.kind == "realtime":
        watchdog.start()
    return _raised(higher, helpers, seconds)


@contextlib.contextmanager
def _raised(higher: Priority, helpers: Collection[int], seconds: float) -> Iterator[bool]:
    before: dict[int, Before] = {}
    # A number may have passed to a thread of another program since it was noted.
    alive = {thread for _, thread in task_tree.threads_of([os.getpid()])}
    untouched = {thread for thread in alive if priority.has(higher, thread)}
    try:
        watched = [threading.get_native_id(), *alive.intersection(helpers)]
        with watchdog.watching(watched, seconds, inherited=True) if higher.kind == "realtime" else nullcontext():
            _raise(higher, watched, before)
            yield all(map(priority.is_realtime, _schedulers_of(watched)))
    finally:
        priority.give_all_back(before)
        if before:
            _lower_heirs(higher, next(iter(before.values())), untouched)


def _raise(higher: Priority, threads: Sequence[int], before: dict[int, Before]) -> None:
    """Raise the first of these, the calling one, and the others if that was possible; note what they had."""
    caller = threads[0]
    if priority.is_realtime(os.sched_getscheduler(caller)):
        return  # as the whole session may be: everyone inherits it already
    for thread in dict.fromkeys(threads):
        with contextlib.suppress(OSError):  # it has ended, or it is another user's
            before[thread] = priority.give(thread, higher, inherited=True)
        if caller not in before:
            return


def lower_orphans(higher: Priority, before: Collection[int]) -> None:
    """Give an ordinary priority to processes that have it still and have lost the parent that they inherited it from.

    :param before: threads that had lost their parents before anything was raised, and stay as they are.
    """
    for _, thread in task_tree.orphans():
        if thread not in before and priority.has(higher, thread):
            with contextlib.suppress(OSError):
                priority.give_back(thread, Before(os.SCHED_OTHER, 0, 0))


def _schedulers_of(threads: Iterable[int]) -> Iterator[int]:
    """Yield the scheduling policy of each of these threads that has not ended."""
    for thread in threads:
        with contextlib.suppress(ProcessLookupError):
            yield os.sched_getscheduler(thread)


def _lower_heirs(higher: Priority, ordinary: Before, untouched: Collection[int]) -> None:
    """Give all that still have the priority an ordinary one; they may be starting more while this looks."""
    for _ in range(_PASSES):
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
