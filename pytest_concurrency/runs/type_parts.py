"""What the types of a run's file are made of. This module needs msgspec: import it on use."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from msgspec import Meta, Struct

MOST = sys.float_info.max  # what lies beyond is infinite, and no number in JSON
WORDS = "words"  # what a message calls a value that has no name of its own


def said(description: str) -> Meta:
    """What a field says, for people."""
    return Meta(description=description)


def known(*names: str, description: str | None = None) -> Meta:
    """Names that there are today; a later version may add some, so that reading does not insist on them."""
    return Meta(description=description, extra_json_schema={"enum": list(names)})


Number = Annotated[float, Meta(ge=-MOST, le=MOST)]
Count = Annotated[int, Meta(ge=0)]
Pair = Annotated[tuple[Number, Number], Meta(extra={WORDS: "a low and a high number"})]
BoundType = Literal["io", "cpu", "mixed", "serialized"]


class Part(Struct, frozen=True, kw_only=True, gc=False):
    """Part of a run; properties that are not known here pass."""


class Leftover(Part, frozen=True, kw_only=True, gc=False):
    """What the measured code has left running; several that are alike are one entry."""

    kind: Annotated[str, known("thread", "process", "task")]
    what: Annotated[str, said("A thread's name and target, a process's number and command line, a task's coroutine.")]
    made_at: Annotated[str, said("The line of code that has started it; empty if it is not known.")] = ""
    inside: Annotated[str, said("In which worker it runs; empty for the process of the test.")] = ""
    count: Count = 1
