"""What runs inside a worker process: unpack the body, then answer batches until told to stop."""

from __future__ import annotations

import contextlib
import faulthandler
import signal
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from pytest_concurrency.backends.pipe_main import Jobs, load, serve
from pytest_concurrency.backends.serialization import Modules
from pytest_concurrency.probes.helper_threads import watched


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
    """Serve one pipe; a closed pipe is the order to end, so that no worker outlives its session."""
    with contextlib.suppress(ValueError, AttributeError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the session's to handle
    for other in work_item.inherited:
        other.close()
    with contextlib.ExitStack() as stack, contextlib.suppress(EOFError, OSError):  # a pipe that is closed, or lost
        _tell_where_on_request(stack, work_item.stack_file)
        jobs = work_item.jobs or load(connection, work_item.packed, work_item.modules, work_item.state)
        if jobs is not None:
            serve(connection, jobs, work_item.index, "processes", watched, own_process=True)


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
