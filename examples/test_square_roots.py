"""Computing in processes, because only one thread at a time computes under the GIL; and how many CPUs there are."""

from __future__ import annotations

import math
import os
import sys

import pytest

# Free-threaded builds of Python have no global interpreter lock (GIL): there, threads compute in parallel.
has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()
only_with_gil = pytest.mark.skipif(not has_gil, reason="this Python has no GIL, so threads compute in parallel")


def square_roots(upto: int = 100_000) -> float:
    return sum(math.sqrt(number) for number in range(upto))


@pytest.mark.expect_cpu_bound
def test_square_roots_are_cpu_bound():
    assert square_roots() > 0


@only_with_gil
@pytest.mark.expect_cpu_bound(gil="held")
def test_square_roots_hold_the_gil():
    square_roots()


# "auto" is one process for each usable CPU. Two of them are 2x as fast at best, so 1.4 leaves room for noise.
@pytest.mark.expect_speedup(processes="auto", at_least=1.4)
def test_processes_speed_up_square_roots():
    square_roots()


# This documents why it takes processes. It fails when threads are enough, so that the pool can become a simpler one.
@only_with_gil
@pytest.mark.expect_speedup(threads=2, at_most=1.3)
def test_threads_do_not_speed_up_square_roots():
    square_roots()


def test_usable_cpus_are_at_most_those_of_the_machine(usable_cpus):
    """``os.cpu_count()`` counts the machine's CPUs, also those that this process may not use.

    In a container, or under ``taskset``, a pool of that size has more workers than CPUs. Try
    ``taskset --cpu-list 0 python -m pytest examples``.
    """
    print(f"os.cpu_count(): {os.cpu_count()}, usable: {usable_cpus:g}")
    assert 0 < usable_cpus <= (os.cpu_count() or usable_cpus)
