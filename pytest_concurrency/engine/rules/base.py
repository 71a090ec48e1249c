"""What rules have in common: a name, the failure that made each necessary, its evidence, and what a user reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from pytest_concurrency.core.model import Round
from pytest_concurrency.engine.claims import Claim
from pytest_concurrency.engine.spread import Spread
from pytest_concurrency.engine.voting import Vote

Function = TypeVar("Function")
Stage = Literal["count", "verdict", "end"]


@dataclass(frozen=True, slots=True)
class Rule(Generic[Function]):
    """One reason why a round, or a verdict, is worth less than it looks."""

    name: str
    apply: Function
    failure: str  # what went wrong without it
    evidence: str  # the measurement or the source behind it
    sentence: str  # what a user reads if it is why a verdict is undecided


@dataclass(frozen=True, slots=True)
class Leaning:
    """A claim whose votes lean to one side, before that becomes a verdict.

    ``counted`` are the votes of the count that goes on, ``suspected`` is in how many of these something seemed to
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


Discard = Callable[[Round], bool]
Weigh = Callable[[Sequence[Vote], Spread], Sequence[Vote]]
Veto = Callable[[Leaning, int], bool]


@dataclass(frozen=True, slots=True)
class VetoRule(Rule[Veto]):
    """May hold a verdict back, and never makes one.

    ``stage`` says when it is asked: of each ``count`` that one side has won, of the ``verdict`` that follows from it,
    or of every verdict at the ``end``, which it then undoes.
    """

    stage: Stage = "count"
