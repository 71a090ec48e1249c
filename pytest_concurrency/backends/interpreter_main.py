"""Entry point of a worker in a subinterpreter: it loads the body, then answers batches until it is asked to stop."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
from multiprocessing import connection

from pytest_concurrency.backends.pipe_main import load, serve
from pytest_concurrency.probes.helper_threads import with_ended_threads


def main(handle: int, index: int, packed: bytes, modules: bytes, state: bytes) -> None:
    """Serve one pipe. The thread that runs this closes its end of the pipe; this function closes only a duplicate."""
    with _opened(handle) as pipe, contextlib.suppress(EOFError, OSError):  # the pipe is closed or broken
        jobs = load(pipe, packed, pickle.loads(modules), state)
        if jobs is not None:
            serve(pipe, jobs, index, "interpreters", with_ended_threads)


def _opened(handle: int) -> connection.Connection:
    if sys.platform == "win32":
        from multiprocessing.reduction import duplicate

        return connection.PipeConnection(duplicate(handle))
    return connection.Connection(os.dup(handle))
