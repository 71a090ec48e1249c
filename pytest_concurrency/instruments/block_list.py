"""Event-loop blocks: which ones a pattern of the ini file exempts, and their form in a record."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from pytest_concurrency.instruments.block_reading import Block
from pytest_concurrency.machine import stack_locations


def allowed_by(block: Block, patterns: Sequence[str]) -> str | None:
    """Return the first pattern that a line of the block's stack matches; None if there is none."""
    places = [stack_locations.describe([place]) for place in block.stack]
    return next((pattern for pattern in patterns if any(matches(place, pattern) for place in places)), None)


def matches(text: str, pattern: str) -> bool:
    """Whether the beginning of a path, or of a described stack location, matches a pattern of the ini file."""
    return fnmatchcase(text.replace("\\", "/"), pattern + "*")


def as_json(block: Block, allowed: str | None, is_sure: bool) -> dict[str, Any]:
    """Return a block as the plain values that a test's record contains."""
    return {
        "low": block.low,
        "high": block.high,
        "where": block.where,
        "causes": dict(block.causes),
        "allowed": allowed,
        "sure": is_sure,
    }
