"""Square roots are computing. Under the GIL only one thread at a time computes, so it takes processes."""

from __future__ import annotations

import math
import os
import sys

import pytest

# Free-threaded builds of Python have no global interpreter lock (GIL): there, threads do compute together.
has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()
only_with_gil = pytest.mark.skipif(not has_gil, reason="this Python has no GIL, so threads do compute together")


def square_roots(upto: int = 100_000) -> float:
    return sum(math.sqrt(number) for number in range(upto))


@pytest.mark.expect_cpu_bound
def test_square_roots_are_computing():
    assert square_roots() > 0


@only_with_gil
@pytest.mark.expect_cpu_bound(gil="held")
def test_square_roots_hold_the_gil():
    square_roots()


# "auto" is one process per usable CPU. With two of them the best is 2, so 1.4 keeps its distance.
@pytest.mark.expect_speedup(processes="auto", at_least=1.4)
def test_processes_compute_once_per_cpu():
    square_roots()


# That threads do not help can be stated, too. If they ever do, this fails, and the pool can become a simpler one.
@only_with_gil
@pytest.mark.expect_speedup(threads=2, at_most=1.3)
def test_threads_do_not_help():
    square_roots()


def test_count_the_cpus_that_you_may_use(usable_cpus):
    """``os.cpu_count()`` counts the machine's CPUs, also those that this process may not use.

    Inside a container, or beside ``taskset``, a pool of that size has more workers than CPUs. Try
    ``taskset --cpu-list 0 python -m pytest examples``.
    """
    print(f"os.cpu_count(): {os.cpu_count()}, usable: {usable_cpus:g}")
    assert 0 < usable_cpus <= (os.cpu_count() or usable_cpus)
