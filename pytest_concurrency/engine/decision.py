"""A claim while it is open: its votes, and when they are enough."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from pytest_concurrency.core import stats
from pytest_concurrency.core.model import Interval, VerdictName
from pytest_concurrency.core.outcomes import Estimate
from pytest_concurrency.engine import constants, mean_ratio, rules
from pytest_concurrency.engine.claims import Claim
from pytest_concurrency.engine.rules.base import Leaning
from pytest_concurrency.engine.spread import Spread, grouped, spread_of
from pytest_concurrency.engine.statistic import won
from pytest_concurrency.engine.voting import Vote, VoteCount


@dataclass
class Decision:
    """Collects votes in two stages.

    A conclusion that a busy machine can imitate (*slow*), and every red one, must lead by more, and
    is then confirmed: fresh workers, after some time, must say the same. If they do not, neither count
    can be trusted, and both start again.
    """

    claim: Claim
    tally: VoteCount = field(default_factory=VoteCount)
    confirming: int = 0  # the side that waits for its confirmation
    confirmation: VoteCount = field(default_factory=VoteCount)
    votes: list[Vote] = field(default_factory=list)
    counted: list[Vote] = field(default_factory=list)  # those of the count that goes on
    spread: Spread = field(default_factory=Spread)  # how much the figure varies with the body itself
    silent: int = 0  # rounds without a vote, in a row
    trace: Counter[str] = field(default_factory=Counter)  # how often each rule has held something back
    held_back_by: str = ""  # the rule that held the last verdict back, if one did
    contradicted: int = 0  # conclusions that fresh workers did not come to again
    verdict: VerdictName | None = None

    @property
    def open(self) -> bool:
        return self.verdict is None

    def needs_confirmation(self, side: int) -> bool:
        return side in self.claim.needs_confirmation_on

    def take(self, vote: Vote, early: bool = False) -> bool:
        """Count a round's vote; return whether fresh workers are due.

        All votes of the count are weighed anew by what is known by now of how much a round's figure varies
        by itself. Votes after the verdict still improve the estimate.

        :param early: whether so little was seen that calls of another kind may well be to come.
        """
        self.votes.append(vote)
        if vote.widened_by:
            self.trace[vote.widened_by] += 1
        self.spread = spread_of(self.votes)
        if not self.open:
            return False
        self.silent = 0 if vote.direction else self.silent + 1
        self.counted.append(vote)
        count = VoteCount()
        for weighed in rules.weighed(self.counted, self.spread):
            count = count.add(weighed)
        return self._confirm(count, early) if self.confirming else self._count(count, early)

    def _count(self, count: VoteCount, early: bool) -> bool:
        self.tally = count
        side = self._side(count, self._enough(1), self._enough(-1), early)
        if not side and self.means:
            side = self._unless_held_back(mean_ratio.side(self.counted, self._error(1), self._error(-1)), early)
        if side and self.needs_confirmation(side):
            self.confirming, self.confirmation, self.counted = side, VoteCount(), []
            return True
        if side:
            self._decide(side)
        elif not (early and not self._zero_tolerance) and self._inside_margin():
            self.verdict = "undecided"
        return False

    def _confirm(self, count: VoteCount, early: bool) -> bool:
        self.confirmation = count
        side = self._side(count, constants.CONFIRM, constants.CONFIRM, early)
        if not side and self.means:
            error = constants.MEANS_CONFIRMING_ERROR
            side = self._unless_held_back(mean_ratio.side(self.counted, error, error), early)
        if side == self.confirming:
            self._decide(side)
            return False
        if side or self.confirmation.rounds >= self.claim.statistic.confirming_rounds:
            self.contradicted += 1
            self.confirming, self.tally, self.counted = 0, VoteCount(), []
            return True
        return False

    @property
    def _zero_tolerance(self) -> bool:
        return self.claim.statistic.zero_tolerance

    def suspected(self, vote: Vote | None = None) -> int:
        """In how many rounds it happened, as it seems, where the claim is that something never does.

        All rounds count, those too of a count that fresh workers have contradicted: once seen, it is not refuted by a
        few rounds without it.

        :param vote: one that is not counted yet.
        """
        against = -self.claim.met_when
        seen = sum(each.direction == against for each in self.votes)
        return seen + (vote is not None and vote.direction == against)

    def _side(self, count: VoteCount, enough_above: float, enough_below: float, early: bool) -> int:
        """The side that the votes of this count have decided for, 0 if none."""
        against = -self.claim.met_when
        side = won(self.claim.statistic, count, self.counted, against, {1: enough_above, -1: enough_below})
        return self._unless_held_back(side, early)

    def _unless_held_back(self, side: int, early: bool) -> int:
        """The same side, or 0 if a rule holds it back."""
        if not side:
            return 0
        # A confirmation has seen what the first count had to see.
        rule = rules.held_back(self._leaning(early and (self._zero_tolerance or not self.confirming)), side, "count")
        if rule is not None:
            self.trace[rule.name] += 1
        return side if rule is None else 0

    def _leaning(self, early: bool = False) -> Leaning:
        return Leaning(self.claim, self.votes, self.counted, self.suspected(), early, self.spread)

    def _enough(self, side: int) -> float:
        return constants.ENOUGH + (constants.MORE if self.needs_confirmation(side) else 0.0)

    def _error(self, side: int) -> float:
        return constants.MEANS_FIRST_ERROR if self.needs_confirmation(side) else constants.MEANS_ERROR

    @property
    def means(self) -> bool:
        """Whether the ratio of mean times may decide: where calls of one body vary."""
        return self.claim.statistic.of_times and self.spread.varies and not any(vote.apart for vote in self.votes)

    def calls_vary(self, loops: int) -> bool:
        """Whether single calls of this body differ by much, where a batch is so many of them."""
        if not self.claim.statistic.of_times or any(vote.apart for vote in self.votes):
            return False
        return self.spread.seen > constants.UNEVEN and self.spread.seen * math.sqrt(loops) > constants.VARIES

    @property
    def calls_are_unequal(self) -> bool:
        """Whether one of the latest concurrent calls took longer than the others."""
        calls = self.votes[-1].calls if self.votes else None
        return calls is not None and max(calls.concurrent) > constants.UNEQUAL * stats.mean(calls.concurrent)

    def _decide(self, side: int) -> None:
        """Come to a verdict, unless a rule holds it back."""
        rule = rules.held_back(self._leaning(), side, "verdict")
        self.held_back_by = "" if rule is None else rule.name
        if rule is None:
            self.verdict = "met" if side == self.claim.met_when else "not_met"
        else:
            self.trace[rule.name] += 1

    @property
    def decided_side(self) -> int:
        """The side of the verdict, 0 if there is none or it is undecided."""
        return {"met": self.claim.met_when, "not_met": -self.claim.met_when}.get(self.verdict or "", 0)

    def ends_as_decided(self) -> bool:
        """Whether the last third of the rounds is for the side of the verdict, if there is one, and none against it."""
        side = self.decided_side
        if not side:
            return True
        last = [vote.direction for vote in self.votes[-max(1, len(self.votes) // 3) :]]
        return side in last and -side not in last

    def _inside_margin(self) -> bool:
        margin = self.claim.margin
        if len(self.votes) < constants.SETTLED or margin.low >= margin.high:
            return False
        if self.means:
            mean = mean_ratio.figure(self.votes, confidence=2.58)
            return mean is not None and stats.inside(mean[1], margin)
        # What others did to a round may put its figure anywhere between its bounds.
        figures = [figure for figure, interval in self._said() if stats.close(interval)]
        return len(figures) >= constants.SETTLED and stats.inside(stats.median_interval(figures, 0.99), margin)

    def reads(self) -> list[Interval | None]:
        """What each round said by itself, if anything."""
        return [vote.read or vote.interval for vote in self.votes]

    def bounds(self) -> list[Interval]:
        """Return the interval of each round that said something."""
        return [read for read in self.reads() if read is not None]

    @property
    def imprecise(self) -> bool:
        """Whether the rounds' figures scatter so much that some more of them would make a noticeably better one."""
        figures = self._figures(self._said())
        return stats.standard_error(figures) > constants.IMPRECISE * stats.mean(figures) if figures else False

    def estimate(self) -> Estimate | None:
        """The figure with its interval: of the rounds, or of their bounds where those lie far apart."""
        if self.means and (found := mean_ratio.figure(self.votes)) is not None:
            return Estimate(found[0], found[1].low, found[1].high, self.claim.unit)
        said = self._said()
        figures = self._figures(said)
        middle = stats.estimate(figures, self.claim.unit)
        few = self.verdict is None and 2 * len(figures) <= len(said)  # most rounds were less clear than these
        if middle is None or (len(figures) < len(said) and not few):
            return middle
        if all(stats.close(interval) for _, interval in said):
            return middle
        low = stats.median([interval.low for _, interval in said])
        high = stats.median([interval.high for _, interval in said])
        return Estimate(middle.value, low, high, self.claim.unit)

    def _said(self) -> list[tuple[float, Interval]]:
        """What the rounds said, in groups where they voted so and there are some."""
        groups = grouped(self.votes, self.spread)
        votes = groups if len(groups) >= constants.GROUPS else self.votes
        if side := self.decided_side:
            votes = self.claim.statistic.telling(votes, side)
            # The middle of bounds that lie far apart says nothing of the figure, unless both are on a side of the cut.
            clear = [vote for vote in votes if vote.direction or (vote.interval and stats.close(vote.interval))]
            votes = clear if len(clear) >= constants.GROUPS else votes
        return [(vote.figure, vote.interval) for vote in votes if vote.figure is not None and vote.interval]

    @staticmethod
    def _figures(said: list[tuple[float, Interval]]) -> list[float]:
        close = [figure for figure, interval in said if stats.close(interval)]
        return close if len(close) >= 3 else [figure for figure, _ in said]
