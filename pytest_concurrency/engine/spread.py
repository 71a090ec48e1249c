"""How much a body's figure varies by itself, and what that leaves of its rounds' votes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_concurrency.core import stats
from pytest_concurrency.core.model import Interval
from pytest_concurrency.engine import constants, voting
from pytest_concurrency.engine.voting import Vote, cast


@dataclass(frozen=True, slots=True)
class Spread:
    """How much a round's figure varies with the body itself: a standard deviation of its logarithm."""

    seen: float = 0.0
    rounds: int = 0
    size: int = 0  # of groups that were seen to be alike, if any were

    @property
    def at_most(self) -> float:
        """Upper bound of the true one, as if figures were normal: a few rounds may be alike by chance.

        95%; of three rounds or fewer 99%.
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
    while is so for both arms. A concurrent worker that was faster than the serial one made a call of another
    kind, as a queue makes none faster.
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
    together, whole = voting.pooled(votes) or 0.0, stats.mean([vote.whole for vote in votes])
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
    distance = voting.distance(vote.interval, vote.cut, vote.direction)
    # The spread of shares is one of themselves, not of their logarithms.
    away = 1 - 1 / distance if vote.whole > 0 and vote.direction < 0 else math.log(distance)
    likelihood = 2 * vote.half * away / variance
    return replace(vote, weight=min(vote.weight, likelihood))
