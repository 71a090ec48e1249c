"""Choice of the multiprocessing start method: ``fork`` where it is safe, otherwise ``forkserver`` or ``spawn``."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator

from pytest_concurrency.core.errors import CannotMeasure
from pytest_concurrency.machine.clocks import CLOCKS

_ENDING = 5  # milliseconds that the system gets to end a thread that was joined


def choose_start_method(wanted: str) -> tuple[str, str]:
    """Return the start method, and the reason for it, which goes into the record.

    ``fork`` needs no pickling, but copies locks that other threads hold at that moment. So ``auto`` uses it only on
    Linux, in a process with one thread. Elsewhere it uses ``forkserver`` or ``spawn``.

    :raises CannotMeasure: the platform does not have the requested method.
    """
    known = multiprocessing.get_all_start_methods()
    if wanted != "auto":
        if wanted not in known:
            raise CannotMeasure(
                f"start method {wanted!r} is not available here; this platform has {', '.join(known)}",
                "use one of these, or auto.",
            )
        threads = _threads_alive() if wanted == "fork" else 1
        return wanted, "asked for" + (f", though the test process has {threads} threads" if threads > 1 else "")
    safe = "forkserver" if "forkserver" in known else "spawn"
    if sys.platform == "linux" and "fork" in known:
        threads = _threads_that_stay()
        if threads == 1:
            return "fork", "the test process has one thread"
        return safe, f"the test process has {threads} threads, so forking it is not safe"
    return safe, "forking is not safe on this platform"


@contextlib.contextmanager
def default_start_method(wanted: str) -> Iterator[str]:
    """Make the chosen start method the default of process pools that are made in this context.

    Without this, a ``ProcessPoolExecutor`` on Linux before Python 3.14 forks a process in which the body's first call
    may have started threads. Threads of a pool do not exist in the workers, which would wait for them forever.

    Yield a note for reports; an empty string if the default stays as it is.
    """
    default = multiprocessing.get_all_start_methods()[0]
    before = multiprocessing.get_start_method(allow_none=True)
    method, why = choose_start_method(wanted)
    if (before or default) != "fork" or method == "fork":  # the project may have set a safe method itself
        yield ""
        return
    multiprocessing.set_start_method(method, force=True)
    try:
        yield f"start method {method}: {why}"
    finally:
        multiprocessing.set_start_method(before, force=True)


def _threads_that_stay() -> int:
    """Count the threads of this process, but not those that Python has joined and the system is about to end."""
    for _ in range(_ENDING):
        threads = _threads_alive()
        if threads == threading.active_count():
            break
        CLOCKS.sleep(0.001)
    return threads


def _threads_alive() -> int:
    """Count all threads of this process, including those that Python did not start."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()
