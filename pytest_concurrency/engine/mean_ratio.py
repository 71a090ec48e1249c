"""A sequential test of a ratio of mean times, for bodies whose calls vary.

Where calls vary, single rounds say little, and a speedup is a ratio of means: of the time that calls take one after the
other, and of the time until as many at once are done. Its error follows from the variance of both sides, taken from
the data. The statistic is Welch's t; the boundary is that of a normal mixture, which holds at whichever round one looks
(Robbins, *Statistical methods related to the law of the iterated logarithm*, 1970; Waudby-Smith et al., *Time-uniform
central limit theory and asymptotic confidence sequences*, 2021). That is exact for normal means only: how often it is
wrong for exponential, log-normal, Pareto and two-point times is simulated by benchmarks/latencies.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_concurrency.core import stats
from pytest_concurrency.core.model import Interval
from pytest_concurrency.core.stats import middle
from pytest_concurrency.engine import constants
from pytest_concurrency.engine.voting import Vote


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean time and the variance of that mean."""

    value: float
    variance: float


def side(votes: Sequence[Vote], error_above: float, error_below: float) -> int:
    """Return +1 if the ratio is significantly above the margin's lower end, -1 if below its upper end, else 0.

    A figure that is inside the margin may be both: then it is the side of the cut on which it lies.
    """
    known = [vote for vote in votes if usable(vote)]
    if len(known) < constants.LEAST_ROUNDS:
        return 0
    away = math.exp(known[0].half)
    serial = serial_mean(known)
    # Each side is tested with the bound that is least in its favour, because interference may have lengthened a wait.
    for direction, error in ((1, error_above), (-1, error_below)):
        together = concurrent_mean(known, direction)
        lead = direction * (serial.value - together.value)
        limit = together.value * away**-direction
        distance = direction * (serial.value - limit)
        variance = serial.variance + together.variance * away ** (-2 * direction)
        if direction > 0 and len(known) < constants.LEAST_ROUNDS_ABOVE:
            continue
        if lead > 0 and _evidence(distance, variance, len(known)) >= boundary(len(known), error):
            return direction
    return 0


def usable(vote: Vote) -> bool:
    """Whether a round's times can be added to those of others."""
    return vote.work > 0 and vote.interval is not None and vote.interval.high > 0


def serial_mean(votes: Sequence[Vote]) -> Mean:
    """Return the mean time of a call, of which some rounds made more than others."""
    calls = sum(vote.draws for vote in votes)
    value = sum(vote.work * vote.draws for vote in votes) / calls
    one = sum(vote.draws * (vote.work - value) ** 2 for vote in votes) / (len(votes) - 1)
    return Mean(value, one / calls)


def concurrent_mean(votes: Sequence[Vote], direction: int = 0) -> Mean:
    """Return what that would be if the ratio were exactly at the cut, by the time that calls took at once.

    :param direction: +1 or -1 for what is the least in favour of that side; 0 for the middle.
    """
    times = []
    for vote in votes:
        assert vote.interval is not None
        figure = {1: vote.interval.low, 0: middle(vote.interval), -1: vote.interval.high}[direction]
        times.append(vote.work * vote.cut / max(figure, 1e-12))
    return Mean(stats.mean(times), stats.deviation(times) ** 2 / len(times))


def boundary(rounds: int, error: float) -> float:
    """Return what twice the log of a likelihood ratio must reach for the error to hold over all rounds so far."""
    size = rounds / constants.TYPICAL_ROUNDS
    return 2 * (1 + 1 / size) * (math.log(1 / error) + math.log1p(size) / 2)


def _evidence(distance: float, variance: float, rounds: int) -> float:
    """Twice the log of the likelihood ratio of a t statistic, which grows more slowly than its square."""
    if distance <= 0:
        return 0.0
    return rounds * math.log1p(distance**2 / max(variance, 1e-300) / rounds)


def figure(votes: Sequence[Vote], confidence: float = 1.96) -> tuple[float, Interval] | None:
    """Return the ratio of means with its interval (Welch, 95%), or None of too few rounds.

    The middle of bounds that lie far apart is no figure: one bound may be next to 0, where helpers had no CPU.
    """
    known = [vote for vote in votes if usable(vote) and vote.interval is not None and stats.close(vote.interval)]
    if len(known) < 3:
        return None
    serial, together = serial_mean(known), concurrent_mean(known)
    cut = math.exp(stats.mean([math.log(vote.cut) for vote in known]))
    value = cut * serial.value / together.value
    error = math.sqrt(serial.variance / serial.value**2 + together.variance / together.value**2)
    factor = math.exp(confidence * error)
    return value, Interval(value / factor, value * factor)


def best_serial_calls(votes: Sequence[Vote], workers: int) -> int:
    """Return how many calls one after the other belong to one batch of calls at once: more where these are noisier.

    The variance of a difference of means is least, for the time that it takes, if a side is called in proportion to its
    deviation over the root of its cost: Cochran, *Sampling Techniques*, 3rd ed. (1977), section 5.5.
    """
    known = [vote for vote in votes if usable(vote)]
    if len(known) < 3:
        return 1
    serial, together = serial_mean(known), concurrent_mean(known)
    calls = sum(vote.draws for vote in known)
    alone = math.sqrt(serial.variance * calls)
    at_once = math.sqrt(together.variance * len(known))
    cost = together.value * workers / known[0].cut / serial.value
    best = alone / max(at_once, 1e-12) * math.sqrt(max(1.0, cost))
    return max(1, min(constants.MOST_CALLS, 2 * workers, round(best)))
