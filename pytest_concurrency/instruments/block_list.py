"""Blocks of event loops: which are exempt by a pattern of the ini file, and their list by line (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from pytest_concurrency.instruments.block_reading import Block
from pytest_concurrency.machine import stack_locations


def allowed_by(block: Block, patterns: Sequence[str]) -> str | None:
    """Return the first pattern that a line of the block's stack matches."""
    places = [stack_locations.describe([place]) for place in block.stack]
    return next((pattern for pattern in patterns if any(matches(place, pattern) for place in places)), None)


def matches(text: str, pattern: str) -> bool:
    """Whether a path or the text of a place matches a pattern of the ini file, from its beginning."""
    return fnmatchcase(text.replace("\\", "/"), pattern + "*")


def as_json(block: Block, allowed: str | None, is_sure: bool) -> dict[str, Any]:
    """Return a block as plain values, as a test's record has it."""
    return {
        "low": block.low,
        "high": block.high,
        "where": block.where,
        "causes": dict(block.causes),
        "allowed": allowed,
        "sure": is_sure,
    }


@dataclass(frozen=True, slots=True)
class BlockedLine:
    """A line of code that blocked event loops, in seconds."""

    where: str | None  # None if the line was not caught
    longest: float
    times: int
    tests: int
    sure: bool  # one of the blocks at least was a block of the loop for certain
    allowed: tuple[str, ...] = ()


def by_line(blocks: Iterable[Mapping[str, Any]]) -> list[BlockedLine]:
    """Return each line that blocked, the one with the longest block first."""
    by_place: dict[str | None, list[Mapping[str, Any]]] = {}
    for block in blocks:
        by_place.setdefault(block["where"], []).append(block)
    found = [
        BlockedLine(
            where=place,
            longest=max(float(block["high"]) for block in seen),
            times=len(seen),
            tests=len({block["test"] for block in seen}),
            sure=any(block["sure"] for block in seen),
            allowed=tuple(sorted({block["allowed"] for block in seen if block["allowed"]})),
        )
        for place, seen in by_place.items()
    ]
    return sorted(found, key=lambda line: -line.longest)
