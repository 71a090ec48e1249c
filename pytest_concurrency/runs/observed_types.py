"""What a run's file holds of a test's ordinary run: calls of watched functions, and blocks of event loops.

This module needs msgspec: import it on use.
"""

from __future__ import annotations

from typing import Annotated

from pytest_concurrency.runs.type_parts import Count, Number, Part, said


class Call(Part, frozen=True, kw_only=True, gc=False):
    """One call of a watched function, in seconds since the first one began."""

    start: Number
    end: Annotated[Number | None, said("null if it still ran when the test had ended.")]
    process: Count
    thread: str
    task: Annotated[str | None, said("null outside of an event loop.")] = None
    raised: Annotated[str | None, said("The name of the exception's type, if it raised one.")] = None


class Watched(Part, frozen=True, kw_only=True, gc=False):
    """The calls of one watched function."""

    name: Annotated[str, said("As concurrency.watch() was given it: module:function.")]
    peak: Annotated[Count, said("The most threads and tasks that were inside at one moment, by the order of events.")]
    peak_at: Annotated[Number | None, said("When so many were inside for the first time; null without a call.")] = None
    count: Annotated[Count, said("How many calls there were; calls has the first 10,000 of them.")] = 0
    calls: list[Call]


class Block(Part, frozen=True, kw_only=True, gc=False):
    """A stretch in which an event loop could not run what was due: between low and high seconds."""

    low: Number
    high: Number
    where: Annotated[str | None, said("The line that blocked; null if it was not caught.")] = None
    causes: Annotated[dict[str, Number], said("What may have lengthened it, in seconds, by its name for people.")] = {}
    allowed: Annotated[str | None, said("Why it is exempt: the marker's reason, or a pattern; null if it is not.")] = (
        None
    )
    sure: Annotated[bool, said("Whether the loop's own code was longer than the limit for certain.")] = True
