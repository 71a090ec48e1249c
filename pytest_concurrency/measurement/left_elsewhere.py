"""Leftovers of test bodies that only their workers can see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from pytest_concurrency.backends.base import Raised, WorkerGroup
from pytest_concurrency.core.errors import WorkerLost
from pytest_concurrency.core.leftovers import Leftover


def told_by(groups: Mapping[str, tuple[int, WorkerGroup]], close: Callable[[str], None]) -> Iterator[Leftover]:
    """Yield the leftovers that groups of workers report. A group that cannot answer is closed, and reports none."""
    for key in list(groups):
        try:
            yield from groups[key][1].left_behind()
        except (Raised, WorkerLost):  # the verdict does not depend on it
            close(key)
