"""Threads that hang in a body are interrupted."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading

from pytest_concurrency.backends import hung

TRACED = """
import sys, threading
from pytest_concurrency.backends import hung
hanging = threading.Thread(target=threading.Event().wait, daemon=True)
hanging.start()

def trace(frame, event, argument):
    return trace

def goes_on():
    return 1

sys.settrace(trace)
hung.interrupt(hanging)
print(sum(goes_on() for _ in range(100)))
"""


def test_a_thread_that_computes_ends() -> None:
    def computes() -> None:
        with contextlib.suppress(SystemExit):
            while True:
                pass

    thread = threading.Thread(target=computes, daemon=True)
    thread.start()
    trace, threads_trace = sys.gettrace(), threading.gettrace()
    sys.settrace(None)  # a session under coverage interrupts no thread on CPython 3.11
    threading.settrace(None)  # type: ignore[arg-type]
    try:
        hung.interrupt(thread)
    finally:
        sys.settrace(trace)
        threading.settrace(threads_trace)  # type: ignore[arg-type]
    thread.join(30)
    assert not thread.is_alive()


def test_a_session_under_coverage_goes_on_beside_a_thread_that_waits() -> None:
    """CPython 3.11 repeated an instruction of the main thread for ever."""
    ran = subprocess.run([sys.executable, "-c", TRACED], capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == "100", ran.stderr
