"""Votes of rounds, and when there are enough of them (pure).

The stopping rule is Wald's sequential probability ratio test over votes whose probability to be
wrong depends on how far from the threshold they are. A vote's weight has a ceiling, after Huber's
censored likelihood ratios (*A robust version of the probability ratio test*, 1965): no single round,
however far off, decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from pytest_concurrency.model import Interval
from pytest_concurrency.stats import log_odds

# How often a vote at this distance (as a ratio) from the cut is wrong, at most. The truth is another
# sqrt(1 + margin) away. benchmarks/votes.py measures it: see docs/verdict-study.md.
_ERROR_AT = ((1.70, 0.01), (1.50, 0.03), (1.30, 0.05), (1.15, 0.10), (1.05, 0.20), (1.0, 0.30))
_FAR = 1.30
# Batches this long average over most bursts of interference; the error of a far vote falls.
_LONG = ((1.0, 0.001), (0.2, 0.01))

ENOUGH = log_odds(1e-5)
# A conclusion that interference can imitate, and a red one, each need more.
MORE = log_odds(0.1)
CONFIRM = log_odds(1e-3)


@dataclass(frozen=True, slots=True)
class Vote:
    """One round's word on one claim: +1 above the cut, -1 below it, 0 cannot tell."""

    direction: int
    weight: float = 0.0
    figure: float | None = None
    interval: Interval | None = None
    distance: float = 1.0  # from the cut, as a ratio


_BEYOND = math.log(1.118)  # the truth is this much farther from a wrong vote than the cut is: sqrt(1 + 0.25)


def tempered(vote: Vote, spread: float) -> Vote:
    """Let a vote weigh no more than a body allows that is not the same from call to call.

    ``spread`` is the standard deviation of a round's figure, as a logarithm. With latencies that vary
    as much as the threshold is away, one round says little, however far off it is.
    """
    if vote.direction == 0 or spread <= 0:
        return vote
    error = 0.5 * math.erfc((math.log(vote.distance) + _BEYOND) / spread / math.sqrt(2))
    return replace(vote, weight=min(vote.weight, log_odds(min(max(error, 1e-9), 0.45))))


def cast(interval: Interval | None, cut: float, batch: float) -> Vote:
    """Turn a round's bounds into a vote; ``batch`` is the shortest batch's time in seconds."""
    if interval is None:
        return Vote(0)
    figure = math.sqrt(max(interval.low, 1e-12) * max(interval.high, 1e-12))
    if interval.low > cut:
        distance = interval.low / cut
        return Vote(1, _weight(distance, batch), figure, interval, distance)
    if interval.high < cut:
        distance = cut / max(interval.high, 1e-12)
        return Vote(-1, _weight(distance, batch), figure, interval, distance)
    return Vote(0, 0.0, figure, interval)


def _weight(distance: float, batch: float) -> float:
    error = next(error for at, error in _ERROR_AT if distance >= at)
    if distance >= _FAR:
        error = next((lower for at, lower in _LONG if batch >= at), error)
    return log_odds(error)


@dataclass(frozen=True, slots=True)
class Tally:
    """The lead of one side over the other, and how it came about."""

    lead: float = 0.0
    above: int = 0
    below: int = 0
    abstained: int = 0

    @property
    def rounds(self) -> int:
        return self.above + self.below + self.abstained

    def add(self, vote: Vote) -> Tally:
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
