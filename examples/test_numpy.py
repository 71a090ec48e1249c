"""NumPy releases the GIL in long operations on arrays, so threads can compute in parallel."""

from __future__ import annotations

import sys

import pytest

numpy = pytest.importorskip("numpy")

has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()


@pytest.fixture(scope="module")
def numbers():
    return numpy.random.default_rng(seed=1).random(400_000)


@pytest.mark.skipif(not has_gil, reason="this Python has no GIL")
@pytest.mark.expect_cpu_bound(gil="released")
def test_sorting_releases_the_gil(numbers):
    numpy.sort(numbers)


@pytest.mark.usefixtures("two_cpus")
@pytest.mark.expect_speedup(threads=2, at_least=1.4)
def test_threads_sort_in_parallel(numbers):
    numpy.sort(numbers)
