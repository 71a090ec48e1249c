"""A body that ends at a time, or when something has happened: it polls, and waits for a CPU do not make it longer.

The time of a single thread on a quiet machine is read as what it took without its waits for a CPU. That is right where
each of these makes it longer: then a line through time over run-queue delay has a slope of 1. A smaller slope says that
some delay has cost nothing, so that the time was read too short.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pytest_concurrency.core import stats
from pytest_concurrency.core.model import Reading, Sample
from pytest_concurrency.engine import constants
from pytest_concurrency.engine.claims import margin_cut
from pytest_concurrency.engine.readings import TINY
from pytest_concurrency.engine.rules.base import ClockBound, Leaning, VetoRule


def clock_bound(leaning: Leaning, side: int) -> bool:
    """Whether the figure would be on the other side of the cut if no delay had made the calls longer."""
    statistic = leaning.claim.statistic
    if not side or not (statistic.of_times or statistic.zero_tolerance):
        return False
    figures = [vote.figure for vote in leaning.votes if vote.figure is not None]
    if not figures:
        return False
    usual, cut = stats.median(figures), margin_cut(leaning.claim.margin)
    # The time of each of two functions is read as one number, and no bound allows for delay that cost nothing.
    exact = not leaning.one_body
    if side < 0:  # a single call that was read too short makes the figure too low
        return usual * stretch([round_.serial for round_ in leaning.rounds], exact) > cut
    second = [round_.concurrent for round_ in leaning.rounds if round_.concurrent is not None]
    return exact and usual / stretch(second, exact) < cut


def stretch(samples: Sequence[Sample], exact: bool = False) -> float:
    """Return how many times as long as it was read the time of a thread may be, as its delay did not prolong it; or 1.

    :param exact: whether each delay has to be shown to prolong it; otherwise, that is assumed unless the slope is
        significantly smaller.
    """
    first = [(sample.loops, sample.readings[0]) for sample in samples]
    each = [
        (reading.wall / loops, reading.delay / loops)
        for loops, reading in first
        if reading.delay is not None and _is_one_threads(reading, exact)
    ]
    if not each:
        return 1.0
    low, high = slope(each)
    if low > constants.CLOCK_SLOPE if exact else high >= 1:
        return 1.0
    return stats.median([took / max(took - late, TINY) for took, late in each])


def _is_one_threads(reading: Reading, exact: bool) -> bool:
    """Whether its delay is that of a single thread, which can prolong the calls by no more than that."""
    return reading.accounting == "one" if exact else not reading.with_helpers


def slope(each: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return bounds of the slope of the line of least squares through time over delay, by its standard error."""
    wall, delay = (stats.mean(column) for column in zip(*each, strict=True))
    square = sum((late - delay) ** 2 for _, late in each)
    if len(each) < constants.CLOCK_ROUNDS or square <= TINY**2:
        return -math.inf, math.inf
    middle = sum((took - wall) * (late - delay) for took, late in each) / square
    left = sum((took - wall - middle * (late - delay)) ** 2 for took, late in each) / (len(each) - 2)
    error = constants.CLOCK_ERRORS * math.sqrt(left / square)
    return middle - error, middle + error


def reason(leaning: Leaning) -> ClockBound:
    """Return that this is why there is no verdict."""
    return ClockBound()


RULE = VetoRule(
    "clock-bound",
    clock_bound,
    failure="polling for 20 ms read as a GIL hold of 7 ms beside two busy programs at the ordinary priority",
    evidence="judgement: slopes of 0.0 to 0.6 for polling beside two and four programs, 1.0 to 1.2 for computing",
    sentence="waits for a CPU have not made the calls longer",
    stage="end",
    reason=reason,
)
