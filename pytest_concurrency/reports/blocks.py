"""The event-loop blocks of a run, grouped by line, the longest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_concurrency.core.text import hanging
from pytest_concurrency.core.units import count, duration

_SHOWN = 30  # lines of the list in a terminal


class BlockedLine(NamedTuple):
    """One line of code that blocked event loops."""

    place: str | None  # None if the line was not caught
    longest: float  # seconds: the upper bound of the longest block
    times: int
    tests: int
    longest_in: str  # the test with the longest block
    is_sure: bool  # whether at least one of its blocks was certainly longer than the limit
    allowed: tuple[str, ...]  # why some of its blocks are exempt

    @property
    def where(self) -> str:
        """The line of code, or a text that says that it is unknown."""
        return self.place or "line not caught"

    @property
    def often(self) -> str:
        """``2 times in 1 test``."""
        return f"{count(self.times, 'time')} in {count(self.tests, 'test')}"

    @property
    def remark(self) -> str:
        """Why blocks of this line may not count; empty if nothing excludes them."""
        parts = [] if self.is_sure else ["not counted: it may have been something else"]
        return "; ".join([*parts, *([f"allowed: {', '.join(self.allowed)}"] if self.allowed else [])])


class Blocks(NamedTuple):
    """All blocks of a run."""

    limit: float | None  # seconds
    lines: tuple[BlockedLine, ...]
    times: int
    tests: int
    faults: int  # blocks that are certainly longer than the limit, and not exempt

    @property
    def title(self) -> str:
        return "blocks of the event loop" + (f" above {duration(self.limit)}" if self.limit else "")

    @property
    def headline(self) -> str:
        """Whether any blocks count, in one sentence."""
        limit = f"longer than {duration(self.limit)}" if self.limit else "too long"
        if self.faults:
            return f"{count(self.faults, 'block of an event loop is', 'blocks of event loops are')} {limit}."
        return f"No block of an event loop is {limit}{' and counts' if self.times else ''}."

    @property
    def summary(self) -> str:
        """How many blocks there are, and how many of them do not count."""
        if not self.times:
            return self.headline
        said = (
            f"{count(self.times, 'block')} at {count(len(self.lines), 'line')} of code in {count(self.tests, 'test')}."
        )
        if passed := self.times - self.faults:
            verb = "does" if passed == 1 else "do"
            said += f" {passed} of them {verb} not count: exempt, or something else may have caused it."
        return said


def blocks_of(run: Mapping[str, Any]) -> Blocks | None:
    """Return the blocks of a run; None if its event loops were not watched."""
    found = [
        {"sure": True, "allowed": None, **block, "test": record["nodeid"]}
        for record in run["records"]
        for block in record.get("blocks", ())
    ]
    limit = run.get("max_block")
    if limit is None and not found:
        return None
    faults = sum(block["sure"] and block["allowed"] is None for block in found)
    return Blocks(limit, by_line(found), len(found), len({block["test"] for block in found}), faults)


def by_line(blocks: Iterable[Mapping[str, Any]]) -> tuple[BlockedLine, ...]:
    """Return each line that blocked, the one with the longest block first. Each given block must have its ``test``."""
    by_place: dict[str | None, list[Mapping[str, Any]]] = {}
    for block in blocks:
        by_place.setdefault(block.get("where") or None, []).append(block)
    lines = (_line(place, seen) for place, seen in by_place.items())
    return tuple(sorted(lines, key=lambda line: -line.longest))


def in_terminal(found: Blocks, width: int) -> Iterator[str]:
    """Yield the list as lines of text: the longest block, how often the line blocked, and where it is."""
    indent = " " * 10
    for line in found.lines[:_SHOWN]:
        remark = f"; {line.remark}" if line.remark else ""
        yield from hanging(f"{duration(line.longest).rjust(8)}  {line.often}  {line.where}{remark}", width, indent)
    if len(found.lines) > _SHOWN:
        left = count(len(found.lines) - _SHOWN, "more line")
        yield f"... and {left}; --concurrency-report=html:PATH lists them"


def _line(place: str | None, seen: Sequence[Mapping[str, Any]]) -> BlockedLine:
    longest = max(seen, key=lambda block: float(block["high"]))
    return BlockedLine(
        place,
        longest["high"],
        len(seen),
        len({block["test"] for block in seen}),
        longest["test"],
        any(block["sure"] for block in seen),
        tuple(sorted({block["allowed"] for block in seen if block["allowed"]})),
    )
