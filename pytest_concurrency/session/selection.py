"""Selects tests that measure: those with a marker of this plugin or with the fixture ``concurrency``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from pytest_concurrency.expectations import MARKERS

if TYPE_CHECKING:
    import pytest


def marks_of(node: Any) -> list[pytest.Mark]:
    """Return this plugin's markers on an item or collector, the nearest first, including misspelt ones."""
    return [mark for mark in node.iter_markers() if _is_own(node, mark.name)]


def meant(node: Any, name: str) -> str | None:
    """Return the marker that a misspelt one probably means; None if the name is right or another plugin's.

    Without ``--strict-markers``, a test with a misspelt marker would pass without being measured.
    """
    if name in MARKERS or not name.startswith("expect"):
        return None
    import difflib

    near = difflib.get_close_matches(name, MARKERS, n=1, cutoff=0.8)
    registered = {re.split(r"[:(]", line, maxsplit=1)[0].strip() for line in node.config.getini("markers")}
    return near[0] if near and name not in registered else None


def _is_own(node: Any, name: str) -> bool:
    return name in MARKERS or (name.startswith("expect") and meant(node, name) is not None)


def measured(items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    """Yield the items that measure.

    The markers of a class or module are looked up once for all of its tests. In a suite that measures nothing,
    ``iter_markers`` for each item would take longer than the rest of this plugin.
    """
    parent, parent_is_marked = None, False
    for item in items:
        if item.parent is not parent:
            parent = item.parent
            parent_is_marked = bool(parent is not None and marks_of(parent))
        if (
            parent_is_marked
            or (item.own_markers and any(_is_own(item, mark.name) for mark in item.own_markers))
            or "concurrency" in getattr(item, "fixturenames", ())
        ):
            yield item
