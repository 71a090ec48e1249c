"""Subinterpreters, each with its own GIL, in Python 3.14 and newer. In older versions, the tests are skipped."""

from __future__ import annotations

import math

import pytest


@pytest.mark.usefixtures("two_cpus")
@pytest.mark.expect_speedup(interpreters=2, at_least=1.5)
def test_square_roots_in_interpreters():
    sum(math.sqrt(number) for number in range(200_000))
