"""The blocks of event loops that a run has seen: by line, longest first (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_concurrency.core.units import count, duration

_SHOWN = 30  # lines of the list in a terminal


class BlockedLine(NamedTuple):
    """One line of code that blocked event loops."""

    where: str  # for people; also if the line was not caught
    longest: float  # seconds, as all that may have been the code's
    times: int
    tests: int
    longest_in: str  # the test with the longest block
    is_sure: bool  # whether one of its blocks was longer than the limit for certain
    allowed: tuple[str, ...]  # why blocks of it are exempt

    @property
    def often(self) -> str:
        """``2 times in 1 test``."""
        return f"{count(self.times, 'time')} in {count(self.tests, 'test')}"

    @property
    def remark(self) -> str:
        """Why it may not count; empty if it does."""
        parts = [] if self.is_sure else ["not counted: it may have been something else"]
        return "; ".join([*parts, *([f"allowed: {', '.join(self.allowed)}"] if self.allowed else [])])


class Blocks(NamedTuple):
    """All blocks of a run."""

    limit: float | None  # seconds
    lines: tuple[BlockedLine, ...]
    times: int
    tests: int
    faults: int  # blocks that are longer for certain, and not exempt

    @property
    def title(self) -> str:
        return "blocks of the event loop" + (f" above {duration(self.limit)}" if self.limit else "")

    @property
    def headline(self) -> str:
        """Whether there are any that count, in one sentence."""
        limit = f"longer than {duration(self.limit)}" if self.limit else "too long"
        if self.faults:
            return f"{count(self.faults, 'block of an event loop is', 'blocks of event loops are')} {limit}."
        return f"No block of an event loop is {limit}{' and counts' if self.times else ''}."

    @property
    def summary(self) -> str:
        """How many there are, and how many of them count."""
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
    by_line: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    tests = set()
    for record in run["records"]:
        for block in record.get("blocks", ()):
            tests.add(record["nodeid"])
            by_line.setdefault(block.get("where") or "line not caught", []).append((record["nodeid"], block))
    limit = run.get("max_block")
    if limit is None and not by_line:
        return None
    found = [block for seen in by_line.values() for _, block in seen]
    faults = sum(block.get("sure", True) and block.get("allowed") is None for block in found)
    lines = sorted((_line(where, seen) for where, seen in by_line.items()), key=lambda line: -line.longest)
    return Blocks(limit, tuple(lines), len(found), len(tests), faults)


def in_terminal(found: Blocks) -> Iterator[str]:
    """Return the list as lines of text: how long at most, how often, and where."""
    for line in found.lines[:_SHOWN]:
        remark = f"; {line.remark}" if line.remark else ""
        yield f"{duration(line.longest).rjust(8)}  {line.often}  {line.where}{remark}"
    if len(found.lines) > _SHOWN:
        left = count(len(found.lines) - _SHOWN, "more line")
        yield f"... and {left}; --concurrency-report=html:PATH lists them"


def _line(where: str, seen: Sequence[tuple[str, Mapping[str, Any]]]) -> BlockedLine:
    test, longest = max(seen, key=lambda one: float(one[1]["high"]))
    return BlockedLine(
        where,
        longest["high"],
        len(seen),
        len({nodeid for nodeid, _ in seen}),
        test,
        any(block.get("sure", True) for _, block in seen),
        tuple(sorted({block["allowed"] for _, block in seen if block.get("allowed")})),
    )
