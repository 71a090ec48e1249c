"""How a plan ended: the verdict on each claim, the rounds behind it, and why a claim has no verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_concurrency.core.model import PRECEDENCE, Interference, Interval, Round, VerdictName
from pytest_concurrency.core.outcomes import Estimate
from pytest_concurrency.engine.claims import Claim, Knowledge
from pytest_concurrency.engine.decision import Decision
from pytest_concurrency.engine.plan import CpuSite
from pytest_concurrency.engine.rules.base import Undone
from pytest_concurrency.engine.voting import VoteCount


@dataclass(frozen=True, slots=True)
class TimeRanOut:
    """A claim was still open at ``max_time``, or its figure lies inside the margin."""

    case: Decision
    rounds: Sequence[Round]
    interference: Interference
    site: CpuSite
    max_time: float


@dataclass(frozen=True, slots=True)
class Unmeasurable:
    """This machine cannot show the figure; ``why`` is what the expectation said of it."""

    why: str


@dataclass(frozen=True, slots=True)
class Result:
    """One claim's end. Without a verdict, ``reason`` has what is known of why."""

    claim: Claim
    verdict: VerdictName
    reason: TimeRanOut | Undone | Unmeasurable | None
    estimate: Estimate | None
    tally: VoteCount
    bounds: tuple[Interval, ...] = ()  # of each round that gave one
    trace: Mapping[str, int] = field(default_factory=dict)  # how often each rule (by its name) has held something back


@dataclass(frozen=True, slots=True)
class Settlement:
    """A plan's end, with all rounds that led to it."""

    results: tuple[Result, ...]
    rounds: tuple[Round, ...]
    known: Knowledge
    seconds: float

    @property
    def verdict(self) -> VerdictName:
        return min((result.verdict for result in self.results), key=PRECEDENCE.index, default="met")
