"""The event-loop blocks of a whole session, by line, longest first (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from pytest_concurrency.core.units import count, duration
from pytest_concurrency.instruments.block_reading import Block
from pytest_concurrency.machine import stack_locations

_SHOWN = 30  # lines of the list


def allowed_by(block: Block, patterns: Sequence[str]) -> str | None:
    """Return the first pattern that a line of the block's stack matches."""
    places = [stack_locations.describe([place]) for place in block.stack]
    return next((pattern for pattern in patterns if any(matches(place, pattern) for place in places)), None)


def matches(text: str, pattern: str) -> bool:
    """Whether a path or the text of a place matches a pattern of the ini file, from its beginning."""
    return fnmatchcase(text.replace("\\", "/"), pattern + "*")


def as_json(block: Block, test: str, allowed: str | None, is_sure: bool) -> dict[str, Any]:
    """Return a block as plain values, for a test's report."""
    return {
        "test": test,
        "low": block.low,
        "high": block.high,
        "where": block.where,
        "causes": dict(block.causes),
        "allowed": allowed,
        "sure": is_sure,
    }


def lines(blocks: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the list: each line that blocked, its longest block, how often, and in how many tests."""
    by_place: dict[str, list[Mapping[str, Any]]] = {}
    for block in blocks:
        by_place.setdefault(block["where"] or "line not seen", []).append(block)
    ordered = sorted(by_place.items(), key=lambda item: -max(block["high"] for block in item[1]))
    shown = [_line(place, seen) for place, seen in ordered[:_SHOWN]]
    return [*shown, f"... and {count(len(ordered) - _SHOWN, 'line')} more"] if len(ordered) > _SHOWN else shown


def _line(place: str, blocks: Sequence[Mapping[str, Any]]) -> str:
    longest = max(blocks, key=lambda block: float(block["high"]))
    tests = len({block["test"] for block in blocks})
    said = "" if any(block["sure"] for block in blocks) else "; not counted: it may have been something else"
    reasons = sorted({block["allowed"] for block in blocks if block["allowed"]})
    said += f"; allowed: {', '.join(reasons)}" if reasons else ""
    seen = f"{count(len(blocks), 'time')} in {count(tests, 'test')}"
    return f"{duration(longest['high']).rjust(8)}  {seen}  {place}{said}"
