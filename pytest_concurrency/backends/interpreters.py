"""Subinterpreters: threads of this process with an interpreter, and a GIL, each (PEP 734)."""

from __future__ import annotations

import concurrent.futures
import platform

from pytest_concurrency.backends.pooled import Pool, end_of
from pytest_concurrency.errors import CannotMeasure


def open_pool(workers: int) -> Pool:
    """Return a pool of as many interpreters.

    :raises CannotMeasure: before Python 3.14.
    """
    executor_class = getattr(concurrent.futures, "InterpreterPoolExecutor", None)
    if executor_class is None:
        raise CannotMeasure(f"subinterpreters need Python 3.14 or later, and this is {platform.python_version()}")
    executor = executor_class(max_workers=workers)
    return Pool(executor, end_of(executor), "an interpreter for each worker, in threads of the test process")
