"""The clocks that every reading uses, unaffected by libraries that freeze time.

freezegun and time-machine replace the attributes of the ``time`` module, and of every module that
imported them by name. A second instance of the built-in module keeps the real functions.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
from collections.abc import Callable
from importlib.machinery import BuiltinImporter

_CALLS = 200  # calls within which a clock shows its smallest step


class _Clocks:
    """The clocks are attributes of an instance: libraries that freeze time would find and replace module attributes."""

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
        # A few platforms have no thread_time(); code that needs the real one checks this first.
        self.has_thread_cpu = hasattr(real, "thread_time")
        self.thread_cpu = getattr(real, "thread_time", real.process_time)
        self.process_cpu = real.process_time
        self.sleep = real.sleep

    def children_cpu(self) -> float:
        """CPU time of all child processes that have ended and were waited for, in seconds."""
        try:
            import resource
        except ImportError:  # Windows
            times = os.times()
            return times.children_user + times.children_system
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)  # os.times() counts in steps of 10 ms
        return usage.ru_utime + usage.ru_stime


def resolution(clock: Callable[[], float]) -> float:
    """Return the smallest step, in seconds, that a clock was seen to make; a platform may state a finer resolution."""
    steps = []
    last = clock()
    for calls in itertools.count():
        if (now := clock()) > last:
            steps.append(now - last)
            last = now
        if steps and calls >= _CALLS:
            return min(steps)
    raise AssertionError


CLOCKS = _Clocks()
