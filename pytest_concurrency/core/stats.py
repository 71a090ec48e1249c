"""Pure statistics: medians, intervals and the weight of a vote."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Sequence

from pytest_concurrency.core.model import Interval
from pytest_concurrency.core.outcomes import Estimate

mean, median = statistics.fmean, statistics.median

_CLOSE = 1.3  # ratio of a round's bounds up to which its middle is a figure


def middle(interval: Interval) -> float:
    """Geometric middle of an interval of ratios."""
    return math.sqrt(max(interval.low, 1e-12) * max(interval.high, 1e-12))


def close(interval: Interval) -> bool:
    """Whether two bounds lie so close together that their middle is a figure."""
    return interval.high <= interval.low * _CLOSE


def deviation(values: Sequence[float]) -> float:
    """Return the sample's standard deviation; 0 of fewer than two values.

    As ``statistics.stdev``, which is exact to the last digit and some ten times slower: this is asked after each round.
    """
    if len(values) < 2:
        return 0.0
    middle = mean(values)
    return math.sqrt(math.fsum((value - middle) ** 2 for value in values) / (len(values) - 1))


def standard_error(values: Sequence[float]) -> float:
    """Return the standard error of the mean of some values; 0 of fewer than two."""
    return deviation(values) / math.sqrt(len(values)) if values else 0.0


def median_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return a distribution-free interval for the median, from order statistics.

    The interval between the j-th smallest and the j-th largest of n values covers the median with
    probability 1 - 2 * P(Binomial(n, 1/2) < j); j is the largest that keeps ``confidence``, and 1 if
    none does. David & Nagaraja, *Order Statistics*, 3rd ed. (2003), section 7.1.
    """
    ordered = sorted(values)
    j = max(_rank(len(ordered), (1 - confidence) / 2), 1)
    return Interval(ordered[j - 1], ordered[-j])


def sure_median(values: Sequence[float], error: float) -> Interval | None:
    """Return bounds of the median, each of which is wrong with a probability of at most ``error``.

    The same as :func:`median_interval`, one side at a time; None if there are too few values for any.
    """
    ordered = sorted(values)
    j = _rank(len(ordered), error)
    return Interval(ordered[j - 1], ordered[-j]) if j else None


@functools.lru_cache(maxsize=64)  # asked for several times in each round
def _rank(n: int, error: float) -> int:
    """Return the largest j at which the j-th smallest of n values exceeds the median at most that often; 0 if none."""
    tail, j, ways = 0.0, 0, 1  # to choose j of n
    while j < n // 2 and (tail := tail + ways / 2**n) <= error:
        ways = ways * (n - j) // (j + 1)
        j += 1
    return j


def least_for(error: float) -> int:
    """Return how many values :func:`sure_median` needs."""
    return max(2, math.ceil(-math.log2(error)))


def estimate(values: Sequence[float], unit: str = "ratio") -> Estimate | None:
    """Median and 95% interval of some rounds' figures; None if there are none."""
    if not values:
        return None
    interval = median_interval(values)
    return Estimate(median(values), interval.low, interval.high, unit)


def rank_correlation(values: Sequence[float]) -> float:
    """Return Kendall's tau of values with their order: 1 if each is larger than all before it, -1 if smaller."""
    n = len(values)
    if n < 2:
        return 0.0
    score = sum((later > earlier) - (later < earlier) for i, earlier in enumerate(values) for later in values[i + 1 :])
    return score / (n * (n - 1) / 2)


def inside(inner: Interval, outer: Interval) -> bool:
    """Whether the inner interval lies within the outer one."""
    return outer.low <= inner.low and inner.high <= outer.high


def log_odds(error: float) -> float:
    """Weight of a vote that is wrong with probability ``error``, in nats.

    Wald's sequential probability ratio test (1945): the weights of independent votes add up, and a
    lead of ``log_odds(e)`` is wrong with a probability of about ``e``.
    """
    return math.log((1 - error) / error)
