"""Finds out which workers may still arrive at a rendezvous, from the stacks of this process's threads."""

from __future__ import annotations

import asyncio
import concurrent.futures
import concurrent.futures.thread
import os
import sys
import threading
from collections.abc import Collection, Iterator
from types import FrameType
from typing import Any

from pytest_concurrency.core.units import count
from pytest_concurrency.machine import stack_locations

_JOIN = threading.Thread.join.__code__
_WAITS = {
    function.__code__
    for function in (concurrent.futures.Future.result, concurrent.futures.Future.exception, concurrent.futures.wait)
}
_POOL = concurrent.futures.thread._worker.__code__
_SHOWN = 3  # most threads or tasks in a message


def no_one_is_left(maker: int, older: Collection[int], waiting: Collection[int]) -> bool:
    """Return whether the gauge's own thread waits for the workers inside, and no other thread may arrive.

    :param maker: ident of the thread that made the gauge. It may start more workers unless it waits for one.
    :param older: idents of threads that existed before the gauge. A server or scheduler among them may start workers
        or enter the block itself, so the answer is False if one of them waits at the rendezvous.
    :param waiting: idents of the threads that wait at the rendezvous.
    """
    if stack_locations.unreadable() is not None or maker in waiting:
        return False
    others = [thread for thread in threading.enumerate() if thread.ident not in {maker, *waiting}]
    if not all(_is_harmless(thread) or _is_idle(thread.ident or 0) for thread in others):
        return False
    return set(waiting).isdisjoint(older) and _waits_for(maker, waiting)


def _is_harmless(thread: threading.Thread) -> bool:
    """Whether a thread belongs to this plugin, to pytest-timeout, or to the connection of xdist's workers."""
    called = str(getattr(getattr(thread, "function", None), "__module__", ""))  # what a threading.Timer calls
    if called == "pytest_timeout" or thread.name.startswith("concurrency-"):
        return True
    return any(f"{os.sep}execnet{os.sep}" in frame.f_code.co_filename for frame in _frames(thread.ident or 0))


def _waits_for(maker: int, waiting: Collection[int]) -> bool:
    """Whether a thread waits without a timeout: for one of the waiting threads to end, or for a future."""
    for frame in _frames(maker):
        if frame.f_code is _JOIN or frame.f_code in _WAITS:
            if frame.f_locals.get("timeout") is not None:
                return False
            return frame.f_code in _WAITS or getattr(frame.f_locals.get("self"), "ident", None) in waiting
    return False


def _is_idle(ident: int) -> bool:
    """Whether a thread has ended, or waits for work in a pool whose queue is empty."""
    frame = next(_frames(ident), None)
    if frame is None:
        return True  # the thread has ended
    queue = frame.f_locals.get("work_queue") if frame.f_code is _POOL else None
    return queue is not None and queue.empty()


def _own() -> set[int | None]:
    """Return the idents of this plugin's threads."""
    return {thread.ident for thread in threading.enumerate() if thread.name.startswith("concurrency-")}


def too_small_pools(meet: int, waiting: Collection[int]) -> list[str]:
    """Describe the thread pools whose workers wait at a rendezvous, and which have too few workers for it."""
    found = {}
    for ident in waiting:
        for frame in _frames(ident):
            if frame.f_code is _POOL and (pool := _pool_of(frame)) is not None and pool._max_workers < meet:
                found[id(pool)] = (
                    f"the {type(pool).__name__} that calls it has {count(pool._max_workers, 'worker')}, so that "
                    f"{meet} can never be inside at once"
                )
    return list(found.values())


def _pool_of(frame: FrameType) -> Any:
    reference = frame.f_locals.get("executor_reference")
    pool = reference() if callable(reference) else None
    return pool if isinstance(getattr(pool, "_max_workers", None), int) else None


def absent(older: Collection[int], waiting: Collection[int], maker: int, loop: Any) -> list[str]:
    """Describe where those threads and tasks of this test are that have not arrived."""
    return [*_absent_threads(older, waiting, maker), *_absent_tasks(loop)][:_SHOWN]


def _absent_threads(older: Collection[int], waiting: Collection[int], maker: int) -> Iterator[str]:
    if stack_locations.unreadable() is not None:
        return
    known = {maker, *older, *waiting, threading.get_ident(), *_own()}
    for thread in threading.enumerate():
        stack = stack_locations.of_thread(thread.ident) if thread.ident not in known else None
        if stack and stack_locations.authors(stack) is not None:
            yield f"thread {thread.name} is at {stack_locations.describe(stack)}"


def _absent_tasks(loop: Any) -> Iterator[str]:
    if loop is None:
        return
    for task in asyncio.all_tasks(loop) - {asyncio.current_task()}:
        # Without this, a task that only waits in asyncio.gather() for other tasks would be listed as missing.
        if type(getattr(task, "_fut_waiter", None)).__name__ == "_GatheringFuture":
            continue
        places = [(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name) for frame in _awaited(task)]
        outside = [place for place in places if stack_locations.is_authors(place[0])]
        joins = any(file.endswith("taskgroups.py") for file, _, _ in places)
        if outside and not joins and not any(place[0].startswith(stack_locations.PACKAGE) for place in places):
            yield f"task {task.get_name()} is at {stack_locations.describe([outside[-1]])}"


def _awaited(task: Any) -> Iterator[FrameType]:
    """Yield the frames of the coroutines that a task awaits, outermost first."""
    awaited = task.get_coro()
    while awaited is not None:
        if (frame := getattr(awaited, "cr_frame", None)) is not None:
            yield frame
        awaited = getattr(awaited, "cr_await", None)


def is_alive(process: int) -> bool:
    """Whether a process of this host runs. A zombie does not run."""
    if process == os.getpid():
        return True
    import psutil

    try:
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:  # without permission to see a process, it counts as running
        return True


def _frames(ident: int) -> Iterator[FrameType]:
    if stack_locations.unreadable() is None:
        yield from stack_locations.outwards(sys._current_frames().get(ident))
