"""A body of random latency in simulated time, to see how often a decision takes chance for a verdict."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from statistics import fmean

from pytest_concurrency.core.model import Interval
from pytest_concurrency.engine.chance import Calls
from pytest_concurrency.engine.claims import SpeedupClaim, half, margin_cut
from pytest_concurrency.engine.decision import Decision
from pytest_concurrency.engine.voting import cast


@dataclass(frozen=True, slots=True)
class RandomLatency:
    """A body that only waits, each time as long as ``latency`` draws, in seconds; a worker makes one call a round.

    Its speedup is the ratio of mean times: of ``workers`` calls one after the other, and of the longest of as many.
    """

    latency: Callable[[random.Random], float]
    workers: int = 4
    serial_calls: int = 1
    lock: bool = False  # whether calls wait for each other

    def rounds(self, rng: random.Random) -> Iterator[tuple[float, list[float]]]:
        """A serial call's time, and those of all workers, without end."""
        for alone, *_, together in self._drawn(rng):
            yield alone, together

    def _drawn(self, rng: random.Random) -> Iterator[tuple[float, list[float], list[float]]]:
        while True:
            alone, *others = (self.latency(rng) for _ in range(self.serial_calls))
            together = [self.latency(rng) for _ in range(self.workers)]
            yield alone, others, list(accumulate(together)) if self.lock else together

    def speedup(self) -> float:
        """What a test of it would have to expect."""
        rounds = list(islice(self.rounds(random.Random(7)), 40_000))
        return self.workers * fmean(alone for alone, _ in rounds) / fmean(max(together) for _, together in rounds)

    def verdict(self, at_least: float, margin: float, rng: random.Random, rounds: int) -> str:
        """Let so many rounds vote at most, on a machine that does nothing else."""
        claim = SpeedupClaim(self.workers, at_least, margin)
        case = Decision(claim)
        for alone, others, together in islice(self._drawn(rng), rounds):
            work = fmean([alone, *others])
            figure = self.workers * work / max(together)
            vote = cast(Interval(figure, figure), margin_cut(claim.margin), work, work, half(claim.margin))
            faster = together[0] if together[0] < work else 0.0
            calls = Calls(alone, tuple(together), tuple(others))
            case.take(replace(vote, faster=faster, calls=calls, draws=self.serial_calls))
            if case.verdict is not None:
                return case.verdict
        return "undecided"
