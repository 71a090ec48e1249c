"""Worker processes of loky, which joblib and scikit-learn use. ``pip install "pytest-concurrency-perf[loky]"``."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("loky")


@pytest.mark.usefixtures("two_cpus")
@pytest.mark.expect_speedup(executor="loky", workers=2, at_least=1.5)
def test_square_roots_in_loky():
    sum(math.sqrt(number) for number in range(200_000))
