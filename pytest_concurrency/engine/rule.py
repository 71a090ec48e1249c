"""What all rules of the engine have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Function = TypeVar("Function")


@dataclass(frozen=True, slots=True)
class Rule(Generic[Function]):
    """One reason why a round, or a verdict, is worth less than it looks."""

    name: str
    apply: Function
    failure: str  # what went wrong without it
    evidence: str  # the measurement or the source behind it
    sentence: str  # why a verdict is undecided; verdicts/undecided.py words the message
