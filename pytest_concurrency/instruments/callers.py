"""Finds out which thread or task has entered a block, and at which line."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from types import FrameType

from pytest_concurrency.machine import stack_locations
from pytest_concurrency.machine.running_loop import current_task

_CONTEXTLIB = contextlib.__file__


def place() -> str:
    """Describe the innermost line on this thread's stack outside of this package and of contextlib."""
    return stack_locations.describe([next(_outside(sys._getframe(1)), ("not readable here", 0, ""))])


def line() -> str:
    """Return the file and number of the line that :func:`place` describes: ``app.py:40``."""
    file, number, _ = next(_outside(sys._getframe(1)), ("not readable here", 0, ""))
    return f"{stack_locations.relative(file)}:{number}"


def _outside(frame: FrameType | None) -> Iterator[stack_locations.Place]:
    for file, line, function in stack_locations.of_frame(frame):
        if file != _CONTEXTLIB and not file.startswith(stack_locations.PACKAGE):
            yield file, line, function


def key() -> str:
    """Return a value that is unique to this thread or task among all processes of this host."""
    task = current_task()
    return f"{os.getpid()}/{threading.get_ident()}" + (f"/{id(task)}" if task is not None else "")


def worker() -> str:
    """Name this thread or task for a person: ``task Task-3``."""
    task = current_task()
    if task is not None:
        name = task.get_name() if hasattr(task, "get_name") else task.name
        return f"task {name}"
    return f"thread {threading.current_thread().name}"
