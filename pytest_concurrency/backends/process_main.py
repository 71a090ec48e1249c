"""Entry point of a worker process: it loads the body, then answers batches until it is asked to stop."""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import os
import signal
import sys
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from pytest_concurrency.backends.pipe_main import Jobs, load, serve
from pytest_concurrency.backends.serialization import Modules
from pytest_concurrency.machine.originals import Thread, open_file
from pytest_concurrency.probes.helper_threads import watched

_PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True, slots=True)
class WorkItem:
    """All that a worker process needs to start. ``jobs`` is set for fork, ``packed`` and ``state`` otherwise."""

    index: int
    stack_file: str
    jobs: Jobs | None = None
    packed: bytes = b""
    modules: Modules = field(default_factory=dict)
    state: bytes = b""
    # The session's ends of pipes, which a forked worker inherits. If it did not close them, they would stay open after
    # the session closes its own, and workers would never see the end of file.
    inherited: tuple[Connection, ...] = ()


def main(connection: Connection, work_item: WorkItem) -> None:
    """Serve one pipe; end when the session closes it."""
    with contextlib.suppress(ValueError, AttributeError):
        # The session handles Ctrl-C. Programs that the body starts would inherit SIG_IGN, but not this handler.
        signal.signal(signal.SIGINT, lambda *_: None)
    _end_with_the_session()
    for other in work_item.inherited:
        other.close()
    # The pipe is closed or broken; or the body has closed the file with the stacks too.
    with contextlib.suppress(EOFError, OSError), contextlib.ExitStack() as stack:
        _tell_where_on_request(stack, work_item.stack_file)
        jobs = work_item.jobs or load(connection, work_item.packed, work_item.modules, work_item.state)
        if jobs is not None:
            serve(connection, jobs, work_item.index, "processes", watched, own_process=True)


def _end_with_the_session() -> None:
    """Have this process killed as soon as its session has ended, whatever the body is doing.

    A worker reads its pipe only between batches. Without this, workers whose session was killed while bodies hang would
    stay forever, and those that compute would take a CPU from every later measurement.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError, ImportError):
            if os.getppid() == parent.pid and _kill_after_parent():
                return
            import fcntl

            # A fork server lives as long as any of its workers, so its end does not show that the session has ended.
            # The session has the other end of this pipe, and the kernel signals when that is closed.
            fcntl.fcntl(parent.sentinel, fcntl.F_SETOWN, os.getpid())
            fcntl.fcntl(parent.sentinel, fcntl.F_SETSIG, signal.SIGKILL)
            flags = fcntl.fcntl(parent.sentinel, fcntl.F_GETFL)
            fcntl.fcntl(parent.sentinel, fcntl.F_SETFL, flags | os.O_ASYNC)
            return
    # This thread may cause a warning about threads in a body that forks.
    Thread(target=_end_after, args=(parent,), name="concurrency-parent", daemon=True).start()


def _kill_after_parent() -> bool:
    """Have this process killed when the thread that started it ends; return whether the system supports that."""
    import ctypes

    return bool(ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) == 0)


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _tell_where_on_request(stack: contextlib.ExitStack, path: str) -> None:
    """Make a signal or a crash write the body's stack to a file. Without it, a crash has no location."""
    try:
        file = stack.enter_context(open_file(path, "w"))
    except OSError:
        return
    faulthandler.enable(file)
    stack.callback(faulthandler.disable)
    if hasattr(signal, "SIGUSR1") and hasattr(faulthandler, "register"):
        faulthandler.register(signal.SIGUSR1, file=file, all_threads=True)
        stack.callback(faulthandler.unregister, signal.SIGUSR1)
