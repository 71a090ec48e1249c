from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_concurrency.core import stats
from pytest_concurrency.core.model import Interval


def coverage(rank: int, n: int) -> float:
    """P(the median lies between the rank-th smallest and the rank-th largest of n values)."""
    return 1 - 2 * sum(math.comb(n, k) for k in range(rank)) / 2**n


@pytest.mark.parametrize("confidence", [0.95, 0.99])
@pytest.mark.parametrize("n", [6, 8, 9, 12, 25, 60, 200])
def test_the_interval_is_the_narrowest_that_covers_the_median(n: int, confidence: float) -> None:
    interval = stats.median_interval([float(value) for value in range(1, n + 1)], confidence)
    rank = int(interval.low)
    assert interval.high == n + 1 - rank
    assert coverage(rank, n) >= confidence or rank == 1
    assert coverage(rank + 1, n) < confidence


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_values_give_their_whole_range(n: int) -> None:
    assert stats.median_interval([float(value) for value in range(n)]) == Interval(0.0, n - 1.0)


def test_the_interval_of_thousands_of_values() -> None:
    interval = stats.median_interval([float(value) for value in range(3000)])
    assert interval.low == pytest.approx(1500 - 1.96 * math.sqrt(3000) / 2, abs=3)


@given(st.lists(st.floats(0.1, 10.0), min_size=1, max_size=80))
def test_an_estimate_lies_in_its_interval(values: list[float]) -> None:
    estimate = stats.estimate(values)
    assert estimate is not None
    assert min(values) <= estimate.low <= estimate.value <= estimate.high <= max(values)


def test_no_values_give_no_estimate() -> None:
    assert stats.estimate([]) is None


@given(st.floats(1e-6, 0.49))
def test_a_vote_weighs_the_more_the_seldomer_it_is_wrong(error: float) -> None:
    assert stats.log_odds(error) > stats.log_odds(error * 1.01) > 0
    assert 1 / (1 + math.exp(stats.log_odds(error))) == pytest.approx(error)


@pytest.mark.parametrize(
    ("inner", "within"), [((1.1, 1.9), True), ((1.0, 2.0), True), ((0.9, 1.5), False), ((1.5, 2.1), False)]
)
def test_inside(inner: tuple[float, float], within: bool) -> None:
    assert stats.inside(Interval(*inner), Interval(1.0, 2.0)) is within


def test_the_middle_of_ratios_is_geometric() -> None:
    assert stats.middle(Interval(0.5, 2.0)) == pytest.approx(1.0)
