"""``jsonl:PATH``: the run as lines: schema and environment first, then one record each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_concurrency.runs import record

FOR_PEOPLE = False


def unavailable() -> str | None:
    return None


def render(run: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    return record.lines_of(run)
