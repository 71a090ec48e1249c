"""Whether a body is another one from round to round: a cache fills, a list grows (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_concurrency.core.model import Interval, Round
from pytest_concurrency.core.stats import median, middle, rank_correlation
from pytest_concurrency.engine.intervals import body_time

_STEADY = 0.85  # rank correlation of a body's time with the number of its round that is no accident
_DRIFTS = 2.0  # factor by which a body's time must change to matter
_FALLS = 1.3  # factor by which a figure must fall to matter: more than the margin
_TELLING = 9  # rounds in which a drift by that factor shows at the latest, if it goes on as it began


def may_drift(rounds: Sequence[Round]) -> bool:
    """Whether a serial body's time has changed so steadily that some more rounds may show a drift, and these do not."""
    if not 3 <= len(rounds) < _TELLING:
        return False
    times = [body_time(round_) for round_ in rounds]
    if abs(rank_correlation(times)) < _STEADY or factor(rounds) is not None:
        return False
    # From the middle of the first third of those rounds to the middle of the last one.
    a_round: float = _DRIFTS ** (1 / (_TELLING - _TELLING // 3))
    return max(times) >= min(times) * a_round ** (len(times) - 1)


def factor(rounds: Sequence[Round]) -> float | None:
    """Return by how much a serial body's time has grown (or shrunk, below 1) over the rounds, if it did so steadily."""
    times = [body_time(round_) for round_ in rounds]
    third = len(times) // 3
    if third < 2 or abs(rank_correlation(times)) < _STEADY:
        return None
    change = median(times[-third:]) / median(times[:third])
    return change if max(change, 1 / change) >= _DRIFTS else None


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
    return (before, after) if before >= _FALLS * after else None
