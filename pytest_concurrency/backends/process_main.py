"""What runs inside a worker process: unpack the body, then answer batches until told to stop."""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from pytest_concurrency.backends.pipe_main import Jobs, load, serve
from pytest_concurrency.backends.serialization import Modules
from pytest_concurrency.probes.helper_threads import watched

_PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True, slots=True)
class WorkItem:
    """All that a worker process needs to start. ``jobs`` is set under fork, ``packed`` and ``state`` elsewhere."""

    index: int
    stack_file: str
    jobs: Jobs | None = None
    packed: bytes = b""
    modules: Modules = field(default_factory=dict)
    state: bytes = b""
    # Ends of other workers' pipes that fork would keep open, so that they never see the end of file.
    inherited: tuple[Connection, ...] = ()


def main(connection: Connection, work_item: WorkItem) -> None:
    """Serve one pipe; a closed pipe is the order to end."""
    with contextlib.suppress(ValueError, AttributeError):
        # Ctrl-C is the session's to handle. Programs that the body starts would inherit SIG_IGN, and not this handler.
        signal.signal(signal.SIGINT, lambda *_: None)
    _end_with_the_session()
    for other in work_item.inherited:
        other.close()
    with contextlib.ExitStack() as stack, contextlib.suppress(EOFError, OSError):  # a pipe that is closed, or lost
        _tell_where_on_request(stack, work_item.stack_file)
        jobs = work_item.jobs or load(connection, work_item.packed, work_item.modules, work_item.state)
        if jobs is not None:
            serve(connection, jobs, work_item.index, "processes", watched, own_process=True)


def _end_with_the_session() -> None:
    """Let this process be killed as soon as its session is gone, whatever the body is doing.

    The pipe is looked at between batches only. Without this, workers of a session that was killed while bodies hang
    stay for ever, and those that compute take a CPU from every later measurement.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError, ImportError):
            if os.getppid() == parent.pid and _kill_after_parent():
                return
            import fcntl

            # A fork server lives as long as any worker of it, so that its end cannot be waited for. The session has the
            # other end of this pipe, and the kernel signals that it was closed.
            fcntl.fcntl(parent.sentinel, fcntl.F_SETOWN, os.getpid())
            fcntl.fcntl(parent.sentinel, fcntl.F_SETSIG, signal.SIGKILL)
            flags = fcntl.fcntl(parent.sentinel, fcntl.F_GETFL)
            fcntl.fcntl(parent.sentinel, fcntl.F_SETFL, flags | os.O_ASYNC)
            return
    # A thread, which a body that forks may be warned of.
    threading.Thread(target=_end_after, args=(parent,), name="concurrency-parent", daemon=True).start()


def _kill_after_parent() -> bool:
    """Have this process killed as the thread ends that has started it; return whether that can be had."""
    import ctypes

    return bool(ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) == 0)


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _tell_where_on_request(stack: contextlib.ExitStack, path: str) -> None:
    """Let a signal, or a crash, write to a file where the body stands; a crash without that tells nothing."""
    try:
        file = stack.enter_context(open(path, "w"))  # noqa: SIM115
    except OSError:
        return
    faulthandler.enable(file)
    stack.callback(faulthandler.disable)
    if hasattr(signal, "SIGUSR1") and hasattr(faulthandler, "register"):
        faulthandler.register(signal.SIGUSR1, file=file, all_threads=True)
        stack.callback(faulthandler.unregister, signal.SIGUSR1)
