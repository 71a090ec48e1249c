"""What runs inside a subinterpreter: unpack the body, then answer batches until told to stop."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
from multiprocessing import connection

from pytest_concurrency.backends.pipe_main import load, serve


def main(handle: int, index: int, packed: bytes, modules: bytes, state: bytes) -> None:
    """Serve one pipe, whose end belongs to the thread that runs this: what is closed here is a copy of it."""
    with _opened(handle) as pipe, contextlib.suppress(EOFError, OSError):  # a pipe that is closed, or lost
        jobs = load(pipe, packed, pickle.loads(modules), state)
        if jobs is not None:
            serve(pipe, jobs, index, "interpreters")


def _opened(handle: int) -> connection.Connection:
    if sys.platform == "win32":
        from multiprocessing.reduction import duplicate

        return connection.PipeConnection(duplicate(handle))
    return connection.Connection(os.dup(handle))
