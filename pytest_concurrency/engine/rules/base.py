"""What the rules for rounds, votes and verdicts get to see, and why a verdict is undone at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pytest_concurrency.core.model import Round
from pytest_concurrency.engine.claims import Claim
from pytest_concurrency.engine.rule import Rule
from pytest_concurrency.engine.spread import Spread
from pytest_concurrency.engine.voting import Vote

Stage = Literal["count", "verdict", "end"]


@dataclass(frozen=True, slots=True)
class Leaning:
    """A claim whose votes lean to one side, before that becomes a verdict.

    ``counted`` are the votes of the count that goes on, ``suspected`` is in how many of all something seemed to
    happen that must never. ``early``: so little was seen that calls of another kind may well be to come.
    ``pair`` says that a body was measured against itself, and ``rounds`` are all of them; both matter at the end only.
    """

    claim: Claim
    votes: Sequence[Vote]
    counted: Sequence[Vote]
    suspected: int = 0
    early: bool = False
    spread: Spread = field(default_factory=Spread)
    rounds: Sequence[Round] = ()
    pair: bool = False
    one_body: bool = True


@dataclass(frozen=True, slots=True)
class Drifted:
    """The body became slower (``factor`` above 1) or faster from round to round."""

    factor: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Fell:
    """A ratio fell from ``before`` to ``after`` while it was measured, so that it says nothing of how it goes on."""

    before: float
    after: float
    rounds: int


@dataclass(frozen=True, slots=True)
class BatchedCalls:
    """The calls vary and are too short to be measured one by one; a batch was ``loops`` of them."""

    loops: int


@dataclass(frozen=True, slots=True)
class ClockBound:
    """Waits for a CPU have not made the calls longer, so what they take on a quiet machine is not known."""


Undone = Drifted | Fell | BatchedCalls | ClockBound  # why there is no verdict, though the rounds came to one
Discard = Callable[[Round], bool]
Weigh = Callable[[Sequence[Vote], Spread], Sequence[Vote]]
Veto = Callable[[Leaning, int], bool]


@dataclass(frozen=True, slots=True)
class VetoRule(Rule[Veto]):
    """May hold a verdict back, and never makes one.

    ``stage`` says when it is asked: of each ``count`` that one side has won, of the ``verdict`` that follows from it,
    or of every verdict at the ``end``, which it then undoes; ``reason`` says why.
    """

    stage: Stage = "count"
    reason: Callable[[Leaning], Undone] | None = None
