"""What the measured code of each test has left running, as the reports list it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pytest_concurrency.core.addresses import about
from pytest_concurrency.core.leftovers import Leftover
from pytest_concurrency.core.units import count
from pytest_concurrency.reports.rows import Row
from pytest_concurrency.verdicts import left_running

MORE = about(left_running.KIND)


class LeftByTest(NamedTuple):
    """One test that has left something running."""

    nodeid: str
    leftovers: tuple[Leftover, ...]

    @property
    def lines(self) -> list[tuple[str, str]]:
        """A description of each leftover, and the line of code that started it; empty if the line is not known."""
        return [(left_running.described(each), each.made_at) for each in self.leftovers]


def left_by_test(rows: Sequence[Row]) -> list[LeftByTest]:
    """Return the tests that have left something running, in the order of the rows."""
    by_test: dict[str, list[tuple[Leftover, ...]]] = {}
    for row in rows:
        if row.leftovers:
            by_test.setdefault(row.nodeid, []).append(row.leftovers)
    return [LeftByTest(nodeid, left_running.latest(each)) for nodeid, each in by_test.items()]


def headline_of(tests: Sequence[LeftByTest]) -> str:
    """``2 tests left something running, which may disturb later tests:``."""
    later = "it" if len(tests) == 1 else "them"
    return f"{count(len(tests), 'test')} left something running, which may disturb the tests after {later}:"
