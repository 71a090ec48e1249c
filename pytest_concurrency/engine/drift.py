"""Whether a body is another one from round to round: a cache fills, a list grows."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_concurrency.core.model import Interval, Round
from pytest_concurrency.core.stats import median, middle, rank_correlation
from pytest_concurrency.engine import constants
from pytest_concurrency.engine.readings import body_time


def may_drift(rounds: Sequence[Round]) -> bool:
    """Whether a serial body's time has changed so steadily that some more rounds may show a drift, and these do not."""
    if not 3 <= len(rounds) < constants.TELLING:
        return False
    times = [body_time(round_) for round_ in rounds]
    if abs(rank_correlation(times)) < constants.STEADY or factor(rounds) is not None:
        return False
    # From the middle of the first third of those rounds to the middle of the last one.
    a_round: float = constants.DRIFTS ** (1 / (constants.TELLING - constants.TELLING // 3))
    return max(times) >= min(times) * a_round ** (len(times) - 1)


def factor(rounds: Sequence[Round]) -> float | None:
    """Return by how much a serial body's time has grown (or shrunk, below 1) over the rounds, if it did so steadily."""
    times = [body_time(round_) for round_ in rounds]
    third = len(times) // 3
    if third < 2:
        return None
    change = median(times[-third:]) / median(times[:third])
    # The correlation last, as it takes quadratic time.
    drifts = max(change, 1 / change) >= constants.DRIFTS and abs(rank_correlation(times)) >= constants.STEADY
    return change if drifts else None


def fall(figures: Sequence[Interval]) -> tuple[float, float] | None:
    """Return a ratio's median over the first third of the rounds and over the last, if it has fallen; else None.

    A rate limit lets a burst through before it holds calls up. The bounds must lie apart: else it may be interference.
    """
    third = len(figures) // 3
    if third < 2:
        return None
    first, last = figures[:third], figures[-third:]
    if min(interval.low for interval in first) <= max(interval.high for interval in last):
        return None
    before, after = median([middle(interval) for interval in first]), median([middle(interval) for interval in last])
    return (before, after) if before >= constants.FALLS * after else None
