"""Workers that hang in a body: they are interrupted or killed, and do not keep Python from exiting.

At exit, Python waits for every thread that is not a daemon, and for every worker of an executor
(``concurrent.futures.thread._python_exit``), without a limit. So a session with a hanging thread would print its
summary and never end. This module removes threads that hang in a measured body from the lists that Python waits for.
Exit status, ``atexit`` handlers and all other threads are not affected.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import os
import sys
import threading
import traceback
from collections.abc import Callable, Sequence, Set
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_concurrency.machine import stack_locations
from pytest_concurrency.machine.clocks import CLOCKS

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

STAYS = "A thread that waits cannot be ended from outside: those above stay until the session ends."
_GRACE = 1.0  # seconds that all hung workers together get to end
_SOON = 0.1  # seconds in which the threads of a pool that was shut down end by themselves


@dataclass(frozen=True, slots=True)
class AbandonedWorker:
    """One part of a batch that does not end, the workers that may run it, and its description in messages."""

    what: str
    part: Future[Any] | None  # None: it ends when its workers end
    workers: Callable[[], Sequence[threading.Thread | BaseProcess]]


_left: list[AbandonedWorker] = []
_lock = threading.Lock()
_registered_in: int | None = None  # ID of the process that registered the exit hook; a forked child has another


def interrupt(thread: threading.Thread) -> None:
    """Raise SystemExit in a thread: at once if it computes, or when its wait ends.

    This does nothing under a trace function of CPython 3.11, such as coverage's: until the thread takes the exception,
    the traced threads would begin one instruction again and again.
    """
    if sys.version_info[:2] == (3, 11) and (sys.gettrace() or threading.gettrace()):
        return
    import ctypes

    with contextlib.suppress(AttributeError):  # an interpreter without the C API
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))


def kill(process: BaseProcess) -> None:
    """End a process at once."""
    try:
        process.kill()
    except AttributeError:  # loky's processes have only terminate()
        process.terminate()


def leave(left: AbandonedWorker) -> None:
    """Let the session end without this worker if it still hangs then."""
    global _registered_in
    with _lock:
        _left.append(left)
        if _registered_in == os.getpid():
            return
        _registered_in = os.getpid()
    with contextlib.suppress(AttributeError, RuntimeError):  # this Python has no such hook, or is exiting
        # This hook is called before Python waits for threads. An atexit handler would run after that, too late.
        threading._register_atexit(_let_python_end)  # type: ignore[attr-defined]


def leave_threads(what: str, threads: Sequence[threading.Thread]) -> None:
    """Interrupt threads of a pool that was shut down; let the session end without those that still hang then."""
    soon = CLOCKS.wall() + _SOON
    for thread in threads:
        thread.join(max(0.0, soon - CLOCKS.wall()))
    limit = CLOCKS.wall() + _GRACE
    for thread in threads:
        # The system may have given the number of a thread that has ended to another one, which would be ended instead.
        if thread.is_alive():
            interrupt(thread)  # a thread that computes would use a CPU during every later measurement
    for thread in threads:
        thread.join(max(0.0, limit - CLOCKS.wall()))
        if thread.is_alive():
            stands = stack_locations.of_thread(thread.ident) or ()
            leave(
                AbandonedWorker(f"{what}: {stack_locations.describe(stands)}", None, functools.partial(list, [thread]))
            )


def end_loop(loop: AbstractEventLoop, seconds: float) -> None:
    """Close an event loop after its pending tasks, which get so many seconds to end."""
    import asyncio

    try:
        if not loop.is_closed():
            leftover = asyncio.all_tasks(loop)
            for task in leftover:
                task.cancel()
            if leftover:
                loop.run_until_complete(asyncio.wait(leftover, timeout=seconds))
            loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
        let_go_of_tasks(loop)  # tasks that did not end when they were cancelled


def let_go_of_tasks(loop: AbstractEventLoop) -> None:
    """Close tasks that were pending when their loop was closed.

    Otherwise, garbage collection would report them during another test.
    """
    import asyncio

    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # as asyncio's own gather() does
        coroutine = task.get_coro()
        if coroutine is not None:
            with contextlib.suppress(Exception):
                coroutine.close()


def let_go_of_half_made_loop(error: OSError) -> None:
    """Mark an event loop that could not be made as closed, so that its finalizer does not warn.

    Such a warning in the middle of an import would break the import.

    Source: python/cpython issue 91351.
    """
    import asyncio

    for frame, _ in traceback.walk_tb(error.__traceback__):
        loop = frame.f_locals.get("self")
        if isinstance(loop, asyncio.BaseEventLoop):
            loop._closed = True  # type: ignore[attr-defined]


def _hangs(left: AbandonedWorker) -> bool:
    if left.part is not None:
        return not left.part.done()
    return any(worker.is_alive() for worker in left.workers())


def _let_python_end() -> None:
    if _registered_in != os.getpid():
        return
    concurrent.futures.wait([left.part for left in _left if left.part is not None], timeout=_GRACE)
    hanging = [left for left in _left if _hangs(left)]
    if not hanging:
        return
    lines = "".join(f"  {left.what}\n" for left in hanging)
    with contextlib.suppress(Exception):  # stderr may be closed
        sys.stderr.write(
            f"pytest-concurrency-perf: these still hang in a measured body, so Python exits without waiting for them "
            f"(it would wait forever):\n{lines}"
        )
        sys.stderr.flush()
    workers = [worker for left in hanging for worker in left.workers()]
    for worker in workers:
        if isinstance(worker, BaseProcess):
            kill(worker)
    if threads := {worker for worker in workers if isinstance(worker, threading.Thread)}:
        # If a later Python renames the attributes that this uses, the error also ends the waiting: Python prints an
        # exception from this function, and waits for no thread.
        _take_off_the_lists(threads)


def _take_off_the_lists(threads: Set[threading.Thread]) -> None:
    queues = getattr(sys.modules.get("concurrent.futures.thread"), "_threads_queues", {})
    for thread in threads:
        queues.pop(thread, None)
    module: Any = threading
    if sys.version_info >= (3, 13):
        assert module._thread_shutdown
        module._thread_shutdown = functools.partial(_await_all_but, threads)
        return
    with module._shutdown_locks_lock:
        for thread in threads:
            module._shutdown_locks.discard(thread._tstate_lock)  # type: ignore[attr-defined, unused-ignore]


class _Enough(Exception):
    """Ends Python's waiting for threads, after the message about them was written."""


def _await_all_but(threads: Set[threading.Thread]) -> NoReturn:
    """Wait for all threads that are not daemons, as Python does at exit, except for these."""
    ours = {threading.main_thread(), threading.current_thread(), *threads}
    while awaited := [thread for thread in threading.enumerate() if not thread.daemon and thread not in ours]:
        for thread in awaited:
            thread.join()
    # An exception ends the waiting, as Ctrl-C does. Without it, Python 3.15 and later would check again and again until
    # no thread is left.
    before = sys.unraisablehook
    sys.unraisablehook = lambda args: None if args.exc_type is _Enough else before(args)
    raise _Enough
