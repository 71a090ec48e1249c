"""The properties of a test in a JUnit XML file: a record's figures as flat names and scalars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

PREFIX = "concurrency_"


def properties_of(record: Mapping[str, Any]) -> list[tuple[str, str | float]]:
    """Return a test's properties, without unknown values. The second expectation with the same marker has a ``_2``."""
    found: list[tuple[str, str | float | None]] = []
    seen: Counter[str] = Counter()
    for expectation in record["expectations"]:
        marker = expectation["marker"]
        seen[marker] += 1
        start = PREFIX + marker + (f"_{seen[marker]}" if seen[marker] > 1 else "") + "_"
        estimate = expectation["estimate"] or {}
        found += [
            (start + "verdict", expectation["verdict"]),
            (start + "estimate", estimate.get("value")),
            (start + "low", estimate.get("low")),
            (start + "high", estimate.get("high")),
            (start + "unit", estimate.get("unit")),
            (start + "threshold", expectation["threshold"]),
            (start + "workers", expectation["workers"] or None),
            (start + "rounds", expectation["rounds"]),
            (start + "seconds", expectation["seconds"]),
        ]
    found.append((PREFIX + "bound", (record["bound"] or {}).get("kind")))
    return [(name, value) for name, value in found if value is not None]
