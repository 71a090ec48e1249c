"""A claim while it is open: its votes, and when they are enough (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_concurrency import stats, tally
from pytest_concurrency.claims import Claim
from pytest_concurrency.model import Estimate, Interval, VerdictName
from pytest_concurrency.tally import Tally, Vote

_SETTLED = 24  # rounds after which a figure that lies inside the margin is accepted as such
_CONFIRMING = 40  # rounds that a confirmation may take before the whole count starts again


@dataclass
class Case:
    """Collects votes in two stages.

    A conclusion that a busy machine can imitate (*slow*), and every red one, must lead by more, and
    is then confirmed: fresh workers, after some time, must say the same. If they do not, neither count
    can be trusted, and both start again.
    """

    claim: Claim
    tally: Tally = field(default_factory=Tally)
    confirming: int = 0  # the side that waits for its confirmation
    confirmation: Tally = field(default_factory=Tally)
    votes: list[Vote] = field(default_factory=list)
    counted: list[Vote] = field(default_factory=list)  # those of the count that goes on
    silent: int = 0  # rounds without a vote, in a row
    undelivered: int = 0  # rounds in which the machine did not deliver its CPUs
    contradicted: int = 0
    verdict: VerdictName | None = None
    reason: str = ""

    @property
    def open(self) -> bool:
        return self.verdict is None

    def needs_confirmation(self, side: int) -> bool:
        return side in self.claim.careful

    def take(self, vote: Vote, spread: float = 0.0) -> bool:
        """Count a round's vote; return whether fresh workers are due.

        ``spread`` is what is known by now of how much a round's figure varies by itself: all votes of
        the count are weighed by it anew. A decided case still listens: a better estimate comes for free.
        """
        self.votes.append(vote)
        if not self.open:
            return False
        self.silent = 0 if vote.direction else self.silent + 1
        self.counted.append(vote)
        count = Tally()
        for earlier in self.counted:
            count = count.add(tally.tempered(earlier, spread))
        return self._confirm(count) if self.confirming else self._count(count)

    def _count(self, count: Tally) -> bool:
        self.tally = count
        side = self.tally.decided(self._enough(1), self._enough(-1))
        if side and self.needs_confirmation(side):
            self.confirming, self.confirmation, self.counted = side, Tally(), []
            return True
        if side:
            self._decide(side)
        elif self._inside_margin():
            self.verdict = "undecided"
        return False

    def _confirm(self, count: Tally) -> bool:
        self.confirmation = count
        side = self.confirmation.decided(tally.CONFIRM, tally.CONFIRM)
        if side == self.confirming:
            self._decide(side)
            return False
        if side or self.confirmation.rounds >= _CONFIRMING:
            self.contradicted += 1
            self.confirming, self.tally, self.counted = 0, Tally(), []
            return True
        return False

    def _enough(self, side: int) -> float:
        return tally.ENOUGH + (tally.MORE if self.needs_confirmation(side) else 0.0)

    def _decide(self, side: int) -> None:
        self.verdict = "met" if side == self.claim.met_when else "broken"

    def _inside_margin(self) -> bool:
        figures, margin = self.figures(), self.claim.margin
        if len(figures) < _SETTLED or margin.low >= margin.high:
            return False
        return stats.inside(stats.median_interval(figures, 0.99), margin)

    def figures(self) -> list[float]:
        """What the rounds said: those whose bounds are close together, if there are enough."""
        seen = [(vote.figure, vote.interval) for vote in self.votes if vote.figure is not None and vote.interval]
        close = [figure for figure, interval in seen if stats.close(interval)]
        return close if len(close) >= 3 else [figure for figure, _ in seen]

    def bounds(self) -> list[Interval]:
        """Of each round that said something."""
        return [vote.interval for vote in self.votes if vote.interval is not None]

    def estimate(self) -> Estimate | None:
        """The figure with its interval: of the rounds, or of their bounds where those lie far apart."""
        figures = self.figures()
        found = stats.estimate(figures, self.claim.unit)
        intervals = self.bounds()
        if found is None or len(figures) < len(intervals) or all(map(stats.close, intervals)):
            return found
        low = stats.median([interval.low for interval in intervals])
        high = stats.median([interval.high for interval in intervals])
        return Estimate(found.value, low, high, self.claim.unit)
