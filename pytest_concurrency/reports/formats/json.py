"""``json:PATH``: the run as one JSON document, in the form of the published schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_concurrency.runs import record

FOR_PEOPLE = False


def unavailable() -> str | None:
    return None


def render(run: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    return record.text_of(run)
