"""The bound type says what kind of work a function does, and a profiler says which lines do it."""

from __future__ import annotations

import cProfile
import math
import pstats
import time

import pytest


def load() -> list[int]:
    time.sleep(0.02)
    return list(range(5_000))


def transform(numbers: list[int]) -> float:
    return sum(math.sqrt(number) for number in numbers)


def report() -> float:
    return transform(load())


def test_cprofile_names_the_function_that_waits(concurrency):
    assert concurrency.bound(report) == "io"
    with cProfile.Profile() as profile:
        report()
    own_seconds = {name: own for (_, _, name), (_, _, own, *_) in pstats.Stats(profile).stats.items()}
    slowest = max(own_seconds, key=own_seconds.__getitem__)
    assert "sleep" in slowest  # as the bound type says: it waits


def test_line_profiler_names_the_line(concurrency):
    line_profiler = pytest.importorskip("line_profiler")
    assert concurrency.bound(load) == "io"
    profiler = line_profiler.LineProfiler(load)
    profiler.runcall(load)
    [lines] = profiler.get_stats().timings.values()
    slowest_line, _, _ = max(lines, key=lambda line: line[2])
    assert slowest_line == load.__code__.co_firstlineno + 1  # time.sleep(0.02)
