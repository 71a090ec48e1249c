"""Votes of rounds, and when there are enough of them (pure).

The stopping rule is Wald's sequential probability ratio test over votes whose probability to be
wrong depends on how far from the threshold they are. A vote's weight has a ceiling, after Huber's
censored likelihood ratios (*A robust version of the probability ratio test*, 1965): no single round,
however far off, decides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_concurrency.core import stats
from pytest_concurrency.core.model import Interval
from pytest_concurrency.core.stats import log_odds, middle
from pytest_concurrency.engine import constants
from pytest_concurrency.engine.chance import Calls


@dataclass(frozen=True, slots=True)
class Vote:
    """One round's word on one claim: +1 above the cut, -1 below it, 0 cannot tell.

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
    side = 1 if interval.low > cut else -1 if interval.high < cut else 0
    weight = _weight(_distance(interval, cut, side), batch) if side else 0.0
    return Vote(side, weight, middle(interval), interval, work, cut, half, batch, apart)


@dataclass(frozen=True, slots=True)
class Spread:
    """How much a round's figure varies with the body itself: a standard deviation of its logarithm."""

    seen: float = 0.0
    rounds: int = 0
    size: int = 0  # of groups that were seen to be alike, if any were

    @property
    def at_most(self) -> float:
        """Upper bound of the true one, as if figures were normal: a few rounds may be alike by chance.

        95 %; of three rounds or fewer 99 %.
        """
        degrees = self.rounds - 1
        if degrees < 1:
            return 0.0
        if degrees <= len(constants.LEAST_CHI_SQUARE):
            least = constants.LEAST_CHI_SQUARE[degrees - 1]
        else:  # Wilson & Hilferty, The distribution of chi-square (1931)
            least = (1 - 2 / (9 * degrees) - 1.645 * math.sqrt(2 / (9 * degrees))) ** 3
        return self.seen / math.sqrt(least)

    @property
    def varies(self) -> bool:
        """Whether calls differ by so much that it takes many rounds."""
        return self.seen > constants.VARIES

    @property
    def group(self) -> int:
        """How many rounds must vote together for the sum of their times to mean something."""
        return self.size or max(1, math.ceil((self.seen / constants.TOO_WIDE) ** 2))


def weighed(votes: Sequence[Vote], spread: Spread) -> Sequence[Vote]:
    """Let votes weigh no more than a body allows that is not the same from call to call.

    A vote weighs at most its likelihood ratio between the two ends of the margin.
    """
    if spread.seen <= 0:
        return votes
    variance = spread.at_most**2 / spread.group
    return [_tempered(vote, variance) for vote in grouped(votes, spread)]


def grouped(votes: Sequence[Vote], spread: Spread) -> Sequence[Vote]:
    """Let rounds vote in groups where single ones say little, by the sums of their times.

    A ratio of sums is a ratio of means; the middle of single ratios is something else if latencies are skewed.
    """
    size = spread.group
    if size == 1:
        return votes
    return [_together(votes[at : at + size]) for at in range(0, len(votes) - size + 1, size)]


def spread_of(votes: Sequence[Vote]) -> Spread:
    """Return how much a body varies.

    No more than the single worker's times make it, which leave out what the machine does (both arms vary),
    unless the times are of different things; and no more than the figure does vary: a CPU that is slow for a
    while is so for both arms. A worker concurrently that was faster than the serial one had a call of another kind:
    a queue makes none faster.
    """
    said = [(vote, vote.work / vote.figure) for vote in votes if vote.work > 0 and vote.figure]
    if len(said) < 2:
        return Spread()
    if said[0][0].whole > 0:
        return _spread_of_shares([vote for vote, _ in said])
    draws = stats.mean([vote.draws for vote, _ in said])
    pairs = [
        (work, time)
        for vote, time in said
        for work in ((vote.work, vote.faster) if draws == 1 else (vote.work,))
        if work > 0
    ]
    works, times = [work for work, _ in pairs], [time for _, time in pairs]
    above, below = stats.mean(works), stats.mean(times)
    # Each as logarithms, in which very short times count much, and as parts of the mean, in which long ones do.
    alone = min(stats.deviation([math.log(work) for work in works]), stats.deviation(works) / above)
    alone *= math.sqrt(draws)  # a mean of some calls varies less than one of them
    figure = min(
        stats.deviation([math.log(work / time) for work, time in pairs]),
        stats.deviation([work / above - time / below for work, time in pairs]),
    )
    if any(vote.apart for vote in votes):
        return Spread(figure, len(said))
    return Spread(min(math.sqrt(2) * alone, figure), len(said))


def _spread_of_shares(votes: Sequence[Vote]) -> Spread:
    """Return how much calls differ in their shares, with the cut as the unit; 0 where single rounds may vote.

    By the residuals of a ratio of sums: Cochran, *Sampling Techniques*, 3rd ed. (1977), section 2.11. Calls that take
    turns are alike in pairs, so sums of two rounds are looked at first, then of four and so on.
    """
    together, whole = pooled(votes) or 0.0, stats.mean([vote.whole for vote in votes])
    residuals = [((vote.figure or 0.0) - together) * vote.whole / whole for vote in votes]
    seen = stats.deviation(residuals) / votes[0].cut
    if seen <= constants.TOO_WIDE:
        return Spread()
    size = 2
    while (groups := len(residuals) // size) >= constants.ALIKE_GROUPS:
        means = [stats.mean(residuals[at * size : (at + 1) * size]) for at in range(groups)]
        if (left := stats.deviation(means) / votes[0].cut) <= constants.TOO_WIDE:
            return Spread(left * math.sqrt(size), groups, size)
        size *= 2
    return Spread(seen, len(votes))


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


def _together(votes: Sequence[Vote]) -> Vote:
    """Return the vote of some rounds' sums."""
    said = [(vote, vote.interval) for vote in votes if vote.work > 0 and vote.interval is not None]
    if not said:
        return Vote(0)
    work = sum(vote.work for vote, _ in said)
    cut = math.exp(stats.mean([math.log(vote.cut) for vote, _ in said]))
    # Each relative to its own cut.
    low = work * cut / sum(vote.work * vote.cut / max(interval.low, 1e-12) for vote, interval in said)
    high = work * cut / sum(vote.work * vote.cut / max(interval.high, 1e-12) for vote, interval in said)
    first = said[0][0]
    vote = cast(Interval(low, high), cut, min(vote.batch for vote, _ in said), work, first.half, first.apart)
    return replace(vote, whole=sum(vote.whole for vote, _ in said))


def _tempered(vote: Vote, variance: float) -> Vote:
    if not vote.direction or vote.work <= 0 or vote.interval is None:
        return vote
    distance = _distance(vote.interval, vote.cut, vote.direction)
    # The spread of shares is one of themselves, not of their logarithms.
    away = 1 - 1 / distance if vote.whole > 0 and vote.direction < 0 else math.log(distance)
    likelihood = 2 * vote.half * away / variance
    return replace(vote, weight=min(vote.weight, likelihood))


def _distance(interval: Interval, cut: float, side: int) -> float:
    """Of the nearer bound from the cut, as a ratio."""
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
