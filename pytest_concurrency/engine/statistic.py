"""What rounds add up to: a ratio of times, a share, or whether something ever happened.

A claim owns one of the three. It says how much must have been seen before the votes count, how a count is won, and what
a figure is of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pytest_concurrency.core.model import Round
from pytest_concurrency.engine import constants, readings, voting
from pytest_concurrency.engine.voting import Vote, VoteCount


@dataclass(frozen=True, slots=True)
class Observed:
    """How much was seen: all rounds, those of the count that goes on, and how many seconds the rounds have taken.

    ``suspected`` is in how many of them something seemed to happen that must never; ``compared`` says that two
    callables are measured, each of which takes a part of the time.
    """

    rounds: Sequence[Round]
    counted: Sequence[Round]
    seconds: float
    suspected: int = 0
    compared: bool = False


class Statistic(Protocol):
    """What the rounds of a claim add up to."""

    @property
    def of_times(self) -> bool:
        """Whether it is a ratio of times, which slow CPUs change and which may be measured in any order."""
        ...

    @property
    def zero_tolerance(self) -> bool:
        """Whether it is about what must not happen at all, so that rounds without it say little."""
        ...

    @property
    def confirming_rounds(self) -> int:
        """How many rounds a confirmation may take before the whole count starts again."""
        ...

    def early(self, seen: Observed) -> bool:
        """Whether rare calls that take most of the time may well not have been seen yet."""
        ...

    def happened(self, counted: Sequence[Vote], side: int, enough: float) -> bool:
        """Whether these votes show that what is on this side does happen, however often it does not."""
        ...

    def telling(self, votes: Sequence[Vote], side: int) -> Sequence[Vote]:
        """The votes that a figure is made of, once the verdict is for this side."""
        ...


@dataclass(frozen=True, slots=True)
class _Average:
    """What all rounds contribute to."""

    of_times: bool
    zero_tolerance: bool = False

    @property
    def confirming_rounds(self) -> int:
        return constants.CONFIRMING_ROUNDS

    def early(self, seen: Observed) -> bool:
        """A ratio of a body with itself has a rule of its own for that, by how much its calls vary."""
        if self.of_times and not seen.compared:
            return False
        looking = seen.seconds < constants.LOOKING * (2 if seen.compared else 1)
        return len(seen.rounds) < constants.LOOKS and (looking or readings.seen_in_concurrent_only(seen.rounds))

    def happened(self, counted: Sequence[Vote], side: int, enough: float) -> bool:
        return False

    def telling(self, votes: Sequence[Vote], side: int) -> Sequence[Vote]:
        return votes


@dataclass(frozen=True, slots=True)
class _ZeroTolerance:
    """What must never happen: single rounds count, and the others say little."""

    of_times: bool = False
    zero_tolerance: bool = True

    @property
    def confirming_rounds(self) -> int:
        """What happens now and then takes its time to happen again."""
        return 10 * constants.CONFIRMING_ROUNDS

    def early(self, seen: Observed) -> bool:
        rounds = max(constants.NEVER_LOOKS, constants.SUSPICION_LOOKS * seen.suspected)
        looking = max(constants.NEVER_LOOKING, constants.SUSPICION_LOOKING * seen.suspected)
        return len(seen.counted) < rounds and sum(round_.serial.wall for round_ in seen.counted) < looking

    def happened(self, counted: Sequence[Vote], side: int, enough: float) -> bool:
        return voting.now_and_then(counted, side) >= enough

    def telling(self, votes: Sequence[Vote], side: int) -> Sequence[Vote]:
        """Rounds that say otherwise have another figure."""
        return [vote for vote in votes if vote.direction in (side, 0)]


RATIO: Statistic = _Average(of_times=True)
SHARE: Statistic = _Average(of_times=False)
NEVER: Statistic = _ZeroTolerance()


def won(statistic: Statistic, count: VoteCount, counted: Sequence[Vote], against: int, enough: dict[int, float]) -> int:
    """Return the side that a count is won by, 0 if none; ``against`` is the side on which the claim is not met."""
    if statistic.happened(counted, against, enough[against]):
        return against
    return count.decided(enough[1], enough[-1])
