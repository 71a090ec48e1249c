"""What runs inside a subinterpreter: unpack the body, then answer batches until told to stop."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from multiprocessing import connection

from pytest_concurrency.backends.piped_worker import load, serve
from pytest_concurrency.model import Reading


def main(
    handle: int,
    index: int,
    packed: bytes,
    modules: Sequence[tuple[str, str | None, tuple[str, ...]]],
    warning_filters: bytes,
) -> None:
    """Serve one pipe, whose end belongs to the thread that runs this: what is closed here is a copy of it."""
    found = {name: (file, folders) for name, file, folders in modules}
    with _opened(handle) as pipe, contextlib.suppress(EOFError, OSError):  # a pipe that is closed, or lost
        jobs = load(pipe, packed, found, warning_filters)
        if jobs is not None:
            serve(pipe, jobs, index, "interpreters", _plainly)


def _opened(handle: int) -> connection.Connection:
    if sys.platform == "win32":
        from multiprocessing.reduction import duplicate

        return connection.PipeConnection(duplicate(handle))
    return connection.Connection(os.dup(handle))


def _plainly(run: Callable[[], Reading]) -> Reading:
    """Helpers of a body in this process are seen by the session."""
    return run()
