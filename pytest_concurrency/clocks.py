"""The clocks that every reading uses, out of reach of libraries that freeze time.

freezegun and time-machine replace the attributes of the ``time`` module, and of every module that
imported them by name. A second instance of the built-in module keeps the real functions.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from importlib.machinery import BuiltinImporter


class _Clocks:
    """Held by an instance, not by module attributes, so that a freezer does not find them."""

    wall: Callable[[], float]
    thread_cpu: Callable[[], float]
    process_cpu: Callable[[], float]
    sleep: Callable[[float], None]
    has_thread_cpu: bool

    def __init__(self) -> None:
        spec = BuiltinImporter.find_spec("time")
        assert spec is not None
        real = importlib.util.module_from_spec(spec)
        BuiltinImporter.exec_module(real)
        self.wall = real.perf_counter
        # Few platforms have none; who needs a true one asks first.
        self.has_thread_cpu = hasattr(real, "thread_time")
        self.thread_cpu = getattr(real, "thread_time", real.process_time)
        self.process_cpu = real.process_time
        self.sleep = real.sleep


CLOCKS = _Clocks()
