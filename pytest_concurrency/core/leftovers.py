"""What test bodies leave running."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class Leftover:
    """A thread, process or task that a test body has started and left running, or several that are alike.

    ``what`` names it: a thread's name and target, a process's number and command line, a task's coroutine. ``made_at``
    is the line of code that has started it, empty if that is not known. ``inside`` says in which worker it runs; empty
    for the process of the test itself.
    """

    kind: Literal["thread", "process", "task"]
    what: str
    made_at: str = ""
    inside: str = ""
    count: int = 1

    @property
    def alike(self) -> tuple[str, ...]:
        """What those have in common that differ in numbers only."""
        return self.kind, re.sub(r"\d+", "#", self.what), self.made_at, self.inside


def merged(leftovers: Iterable[Leftover]) -> tuple[Leftover, ...]:
    """Return those that differ in more than a number once, with how many there are."""
    found: dict[tuple[str, ...], Leftover] = {}
    for leftover in leftovers:
        first = found.get(leftover.alike)
        found[leftover.alike] = leftover if first is None else replace(first, count=first.count + leftover.count)
    return tuple(found.values())
