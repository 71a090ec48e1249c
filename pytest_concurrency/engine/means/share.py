"""A sequential test of a share of time, for bodies whose calls differ in it (pure).

Where some calls compute and others wait, single rounds say little: the share is that of all their time together, a
ratio of sums. Its error follows from the residuals (Cochran, *Sampling Techniques*, 3rd ed., 1977, section 2.11), and
the boundary is that of :mod:`.ratio`, which holds at whichever round one looks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pytest_concurrency.core import stats
from pytest_concurrency.core.model import Interval
from pytest_concurrency.engine import constants, voting
from pytest_concurrency.engine.means import ratio
from pytest_concurrency.engine.voting import Vote


def side(votes: Sequence[Vote], error_above: float, error_below: float) -> int:
    """Return +1 if the share is significantly above the margin's lower end, -1 if below its upper end, else 0."""
    known = _known(votes)
    together = voting.pooled(known)
    if together is None or effective_rounds(known) < constants.LEAST_ROUNDS_ABOVE:
        return 0
    direction, error = (1, error_above) if together > known[0].cut else (-1, error_below)
    limit = known[0].cut * math.exp(-direction * known[0].half)
    excess = [direction * (_bound(vote, direction) - limit) * vote.whole for vote in known]
    # One more call as long as the longest, all of it on the other side.
    worst = (1.0 if direction < 0 else 0.0) - limit
    excess.append(direction * worst * max(vote.whole for vote in known))
    evidence = ratio.evidence(stats.mean(excess), variance_of_mean(excess), len(known))
    return direction if evidence >= ratio.boundary(len(known), error) else 0


def effective_rounds(votes: Sequence[Vote]) -> float:
    """Return how many rounds of equal length would say as much (Kish, *Survey Sampling*, 1965, section 11.7)."""
    return sum(vote.whole for vote in votes) ** 2 / sum(vote.whole**2 for vote in votes)


def variance_of_mean(values: Sequence[float]) -> float:
    """Return the variance of a mean of values, neighbours among which may be alike.

    The largest that means of 1, 2, 4 ... neighbours give (batch means: Law, *Simulation Modeling and Analysis*, 5th
    ed., 2015, section 9.5.3). Without it, a body that computes for some rounds and then waits for some would seem to
    have been seen more often than it was.
    """
    largest, size = 0.0, 1
    while (groups := len(values) // size) >= constants.ALIKE_GROUPS:
        means = [stats.mean(values[at * size : (at + 1) * size]) for at in range(groups)]
        largest = max(largest, stats.deviation(means) ** 2 / groups)
        size *= 2
    return largest


def figure(votes: Sequence[Vote], confidence: float = 1.96) -> tuple[float, Interval] | None:
    """Return the share of all rounds' time with its interval (95%), or None of too few rounds."""
    known = _known(votes)
    together = voting.pooled(known)
    if together is None or len(known) < 3:
        return None
    whole = stats.mean([vote.whole for vote in known])
    residuals = [((vote.figure or 0.0) - together) * vote.whole / whole for vote in known]
    error = confidence * math.sqrt(variance_of_mean(residuals))
    return together, Interval(max(0.0, together - error), min(1.0, together + error))


def _known(votes: Sequence[Vote]) -> list[Vote]:
    return [vote for vote in votes if vote.whole > 0 and vote.figure is not None and vote.interval is not None]


def _bound(vote: Vote, direction: int) -> float:
    """Return the end of a round's interval that is the least in favour of a side."""
    assert vote.interval is not None
    return vote.interval.low if direction > 0 else vote.interval.high
