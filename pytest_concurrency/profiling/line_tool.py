"""line_profiler: the time of each line of the user's functions."""

from __future__ import annotations

import gc
import importlib.util
import linecache
from collections.abc import Callable, Mapping, Sequence
from types import CodeType, FunctionType
from typing import Any

from pytest_concurrency.profiling.line_waits import Line
from pytest_concurrency.profiling.model import Cost
from pytest_concurrency.profiling.stack_sampler import short

_SHOWN = 12
_LEAST = 0.01


def unavailable() -> str | None:
    """Return which package is missing, or None."""
    if importlib.util.find_spec("line_profiler") is not None:
        return None
    return 'line_profiler is not installed: pip install "pytest-concurrency-perf[profile]", or use cprofile'


def functions_of(codes: Sequence[CodeType]) -> list[FunctionType]:
    """Find the functions of some code objects; functions that each call creates are not found."""
    found = []
    for code in codes:
        users = [user for user in gc.get_referrers(code) if isinstance(user, FunctionType) and user.__code__ is code]
        found.extend(users[:1])
    return found


def watch(run: Callable[[], Any], functions: Sequence[FunctionType]) -> dict[Line, tuple[int, float]]:
    """Run something under line_profiler; return hits and seconds of each line, by file and line number."""
    from line_profiler import LineProfiler

    profiler: Any = LineProfiler()
    codes = [function.__code__ for function in functions]
    try:
        for function in functions:
            profiler.add_function(function)
        profiler.enable_by_count()
        try:
            run()
        finally:
            profiler.disable_by_count()
        stats = profiler.get_stats()
    finally:
        for function, code in zip(functions, codes, strict=True):
            function.__code__ = code  # line_profiler replaces a function's code by a copy
    found: dict[Line, tuple[int, float]] = {}
    for (file, _, _), lines in stats.timings.items():
        for line, hits, ticks in lines:
            found[file, line] = hits, ticks * stats.unit
    return found


def costs(lines: dict[Line, tuple[int, float]], waiting: Mapping[Line, float] | None, calls: int) -> tuple[Cost, ...]:
    """Return the time of each line, in the order of the files.

    :param waiting: how long one call waited in each line; None if it is unknown.
    """
    longest = max((seconds for _, seconds in lines.values()), default=0.0)
    notable = sorted(lines.items(), key=lambda item: item[1][1], reverse=True)[:_SHOWN]
    found = []
    for (file, line), (hits, seconds) in sorted(notable):
        if seconds < _LEAST * longest:
            continue
        each = seconds / calls
        off = None if waiting is None else max(0.0, min(each, waiting.get((file, line), 0.0)))
        source = linecache.getline(file, line).strip()
        found.append(Cost(f"{short(file)}:{line}", hits / calls, each - (off or 0.0), off, source))
    return tuple(found)
