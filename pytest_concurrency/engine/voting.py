"""Votes of rounds, and the count of them.

The stopping rule is Wald's sequential probability ratio test over votes whose probability to be
wrong depends on how far from the threshold they are. A vote's weight has a ceiling, after Huber's
censored likelihood ratios (*A robust version of the probability ratio test*, 1965): no single round,
however far off, decides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_concurrency.core.model import Interval
from pytest_concurrency.core.stats import log_odds, middle
from pytest_concurrency.engine import constants
from pytest_concurrency.engine.chance import Calls


@dataclass(frozen=True, slots=True)
class Vote:
    """One round's vote on one claim: +1 above the cut, -1 below it, 0 cannot tell.

    Votes on figures that may be added up over rounds know what to add: ``work`` is the numerator of the
    figure in seconds per body, ``half`` half of the margin as a logarithm. Others have no ``work``.
    """

    direction: int
    weight: float = 0.0
    figure: float | None = None
    interval: Interval | None = None
    work: float = 0.0
    cut: float = 1.0
    half: float = 0.0
    batch: float = 0.0  # seconds of the shortest batch
    apart: bool = False  # whether the two times are of different things, so that each varies by itself
    whole: float = 0.0  # seconds per body of which the figure is a share
    faster: float = 0.0  # seconds per body of a worker concurrently, where it took less than the serial one
    read: Interval | None = None  # what the round alone says, where the interval allows for more
    widened_by: str = ""  # the rule for which the interval reaches over the cut, if one does
    silenced: int = 0  # the direction that the vote would have without that rule
    draws: int = 1  # serial calls behind ``work``, for each one that a worker made concurrently
    calls: Calls | None = None  # what each worker took, where calls that differ could look slow concurrently


def cast(
    interval: Interval | None,
    cut: float,
    batch: float,
    work: float = 0.0,
    half: float = 0.0,
    apart: bool = False,
) -> Vote:
    """Turn a round's bounds into a vote; ``batch`` is the shortest batch's time in seconds."""
    if interval is None:
        return Vote(0)
    direction = side(interval, cut)
    weight = _weight(distance(interval, cut, direction), batch) if direction else 0.0
    return Vote(direction, weight, middle(interval), interval, work, cut, half, batch, apart)


def side(interval: Interval, cut: float) -> int:
    """+1 if all of the interval lies above the cut, -1 if all of it lies below, 0 if it contains the cut."""
    return 1 if interval.low > cut else -1 if interval.high < cut else 0


def pooled(votes: Sequence[Vote]) -> float | None:
    """Return the share that rounds come to together, each with its time; None if they are not about shares."""
    said = [(vote.figure, vote.whole) for vote in votes if vote.figure is not None and vote.whole > 0]
    whole = sum(time for _, time in said)
    return sum(figure * time for figure, time in said) / whole if whole > 0 else None


def now_and_then(votes: Sequence[Vote], side: int) -> float:
    """Return the evidence, as a logarithm of odds, that a round in five, or in twenty, is on this side and no error.

    Of what must never happen, rounds in which it did not happen say little.
    """
    happened = [vote for vote in votes if vote.direction == side]
    others = sum(vote.direction != 0 for vote in votes) - len(happened)
    return max(
        sum(math.log(part * (1 + math.exp(vote.weight))) for vote in happened) + others * math.log(1 - part)
        for part in constants.NOW_AND_THEN
    ) - math.log(len(constants.NOW_AND_THEN))


def distance(interval: Interval, cut: float, side: int) -> float:
    """Return how far the nearer bound is from the cut, as a ratio above 1."""
    return interval.low / cut if side > 0 else cut / max(interval.high, 1e-12)


def _weight(distance: float, batch: float) -> float:
    error = next(error for at, error in constants.VOTE_ERROR if distance >= at)
    if distance >= constants.FAR:
        error = next((lower for at, lower in constants.LONG_BATCH_ERROR if batch >= at), error)
    return log_odds(error)


@dataclass(frozen=True, slots=True)
class VoteCount:
    """The lead of one side over the other, and how it came about."""

    lead: float = 0.0
    above: int = 0
    below: int = 0
    abstained: int = 0

    @property
    def rounds(self) -> int:
        return self.above + self.below + self.abstained

    def add(self, vote: Vote) -> VoteCount:
        if vote.direction > 0:
            return replace(self, lead=self.lead + vote.weight, above=self.above + 1)
        if vote.direction < 0:
            return replace(self, lead=self.lead - vote.weight, below=self.below + 1)
        return replace(self, abstained=self.abstained + 1)

    def decided(self, enough_above: float, enough_below: float) -> int:
        """+1 or -1 once a side leads by enough, 0 before."""
        if self.lead >= enough_above:
            return 1
        return -1 if self.lead <= -enough_below else 0
