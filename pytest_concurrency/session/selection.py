"""Which tests measure: those with a marker of this plugin, and those that ask for the fixture ``concurrency``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from pytest_concurrency.expectations.markers import MARKERS

if TYPE_CHECKING:
    import pytest


def marks_of(node: Any) -> list[pytest.Mark]:
    """Return this plugin's markers on an item or collector, the nearest first."""
    return [mark for mark in node.iter_markers() if mark.name in MARKERS]


def measured(items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    """Yield the items that measure.

    The markers of a class or module are looked up once for all of its tests: ``iter_markers`` for each item would
    cost a suite that measures nothing more than the rest of this plugin does.
    """
    parent, parent_is_marked = None, False
    for item in items:
        if item.parent is not parent:
            parent = item.parent
            parent_is_marked = bool(parent is not None and marks_of(parent))
        if (
            parent_is_marked
            or (item.own_markers and any(mark.name in MARKERS for mark in item.own_markers))
            or "concurrency" in getattr(item, "fixturenames", ())
        ):
            yield item
