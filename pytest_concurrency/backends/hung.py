"""Workers that hang in a body: they are told to end, and those that cannot do not keep Python from ending.

At its end Python waits for every thread that is not a daemon, and for every worker of an executor
(``concurrent.futures.thread._python_exit``), without a limit. So a session with one that waits for what never
comes would print its summary and stay. Threads that hang in a measured body are taken off the lists of those that
are waited for; all else is waited for as ever: exit status, ``atexit`` and other threads are as they would be.
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
_GRACE = 1.0  # seconds that all of them get once more, as Python ends


@dataclass(frozen=True, slots=True)
class AbandonedWorker:
    """One part of a batch that does not end, who may be at it, and what to say of it."""

    what: str
    part: Future[Any] | None  # None: it is over when its workers are
    workers: Callable[[], Sequence[threading.Thread | BaseProcess]]


_left: list[AbandonedWorker] = []
_lock = threading.Lock()
_registered_in: int | None = None  # the process whose end is watched; a forked one is not


def interrupt(thread: threading.Thread) -> None:
    """Raise SystemExit in a thread; one that waits gets it when it goes on, one that computes at once."""
    import ctypes

    with contextlib.suppress(AttributeError):  # an interpreter without the C API
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))


def kill(process: BaseProcess) -> None:
    """End a process at once."""
    try:
        process.kill()
    except AttributeError:  # loky's processes have only this one
        process.terminate()


def leave(left: AbandonedWorker) -> None:
    """Let the session end without this, should it still hang by then."""
    global _registered_in
    with _lock:
        _left.append(left)
        if _registered_in == os.getpid():
            return
        _registered_in = os.getpid()
    with contextlib.suppress(AttributeError, RuntimeError):  # a Python that has no such hook, or is about to end
        # Called before threads are waited for, which atexit's are not.
        threading._register_atexit(_let_python_end)  # type: ignore[attr-defined]


def leave_threads(what: str, threads: Sequence[threading.Thread]) -> None:
    """Let the session end without threads of a pool that was shut down, should they still hang by then."""
    limit = CLOCKS.wall() + _GRACE
    for thread in threads:
        interrupt(thread)  # one that computes would take its CPU from every later measurement
    for thread in threads:
        thread.join(max(0.0, limit - CLOCKS.wall()))
        if thread.is_alive():
            stands = stack_locations.of_thread(thread.ident) or ()
            leave(
                AbandonedWorker(f"{what}: {stack_locations.describe(stands)}", None, functools.partial(list, [thread]))
            )


def let_go_of_tasks(loop: AbstractEventLoop) -> None:
    """End what was pending as its loop was closed; a garbage collection would tell of it in another test."""
    import asyncio

    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # as asyncio's own gather() does
        coroutine = task.get_coro()
        if coroutine is not None:
            with contextlib.suppress(Exception):
                coroutine.close()


def let_go_of_half_made_loop(error: OSError) -> None:
    """Let a loop that could not be made go in silence: told of in the middle of an import, it would break that.

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
    with contextlib.suppress(Exception):  # no one may be there to read it
        sys.stderr.write(
            f"pytest-concurrency-perf: Python would wait for ever for what still hangs in a measured body, and ends "
            f"without it:\n{lines}"
        )
        sys.stderr.flush()
    workers = [worker for left in hanging for worker in left.workers()]
    for worker in workers:
        if isinstance(worker, BaseProcess):
            kill(worker)
    if threads := {worker for worker in workers if isinstance(worker, threading.Thread)}:
        # Should a later Python have other names for these, then the error ends the waiting too: what this function
        # raises is printed, and no thread is waited for.
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
    """Ends Python's waiting for threads; what they do has been told by then."""


def _await_all_but(threads: Set[threading.Thread]) -> NoReturn:
    """Do what Python does at its end, but for these: wait for what is not a daemon."""
    ours = {threading.main_thread(), threading.current_thread(), *threads}
    while awaited := [thread for thread in threading.enumerate() if not thread.daemon and thread not in ours]:
        for thread in awaited:
            thread.join()
    # What Ctrl-C does here: since 3.15 Python would otherwise look again and again until no thread is left.
    before = sys.unraisablehook
    sys.unraisablehook = lambda args: None if args.exc_type is _Enough else before(args)
    raise _Enough
