"""The instruments of one test, and the checks when its body has ended."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from pytest_concurrency.core.errors import ExpectationNotMet
from pytest_concurrency.instruments.block_guard import NonblockingBlock
from pytest_concurrency.instruments.call_watch import CallWatch
from pytest_concurrency.instruments.gauge import Gauge
from pytest_concurrency.instruments.rendezvous import Rendezvous
from pytest_concurrency.session import observed
from pytest_concurrency.session.in_flight import Gauges

__tracebackhide__ = True  # pytest shows a failure at the line of the test
_NAME = "concurrency_perf_instruments"
_KEY = pytest.StashKey["Instruments"]()
_ENDED = pytest.StashKey["Instruments"]()  # until all fixtures of the test have ended
_UNDECIDED = pytest.StashKey[Callable[[str], None]]()


class Instruments:
    """The gauges, guards and watched functions of one test."""

    def __init__(self, label: str = "this test", in_measured_test: bool = False) -> None:
        """:param in_measured_test: whether the test's own body is measured, by a marker."""
        self._gauges = Gauges(label, in_measured_test)
        self._undecided: list[str] = []
        self._watches: list[CallWatch] = []

    @property
    def plain_gauge(self) -> Gauge:
        """The gauge of ``in_flight()`` without arguments."""
        return self._gauges.plain

    def in_flight(self, meet: int | None, limit: int | None, timeout: float | str) -> Gauge | Rendezvous:
        """Return the plain gauge, or a new rendezvous."""
        if meet is None and limit is None:
            return self._gauges.plain
        return self._gauges.make(meet, limit, timeout)

    def nonblocking(self, max_block: float | str) -> NonblockingBlock:
        """Return a guard of one block of code."""
        return NonblockingBlock(max_block, self._undecided.append)

    def watch(self, name: str) -> CallWatch:
        """Watch a function until the test ends."""
        made = CallWatch(name)
        self._watches.append(made)
        return made

    def watched(self) -> list[dict[str, Any]]:
        """Return the calls of each watched function, as plain values."""
        return [watch.as_json() for watch in self._watches]

    @property
    def undecided(self) -> list[str]:
        """What one run of the test was not enough to decide."""
        return self._undecided

    def complaint(self) -> str | None:
        """Return why the test fails although its body raised nothing; None if it does not fail."""
        return self._gauges.complaint()

    def close(self) -> None:
        """Restore the watched functions, and free all workers that wait."""
        try:
            for watch in reversed(self._watches):
                watch.close()
        finally:
            self._gauges.close()

    def restore(self) -> None:
        """Restore what another fixture has put back in place meanwhile."""
        for watch in reversed(self._watches):
            watch.restore()


@contextlib.contextmanager
def of(item: pytest.Item, undecided: Callable[[str], None], in_measured_test: bool = False) -> Iterator[Instruments]:
    """Give a test its instruments while its fixture lives; the rest of the session pays nothing for them.

    :param undecided: takes why the test is undecided; it skips or fails the test, or returns if the test passes.
    """
    manager = item.config.pluginmanager
    if not manager.has_plugin(_NAME):
        manager.register(EndOfBody(), _NAME)
    made = item.stash[_KEY] = item.stash[_ENDED] = Instruments(item.nodeid, in_measured_test)
    item.stash[_UNDECIDED] = undecided
    try:
        yield made
    finally:
        item.stash[_KEY] = Instruments()
        made.close()


class EndOfBody:
    """A plugin that is registered with the first test that uses the fixture."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        __tracebackhide__ = True
        answer = yield
        if _KEY not in item.stash:
            return answer
        instruments = item.stash[_KEY]
        if (why := instruments.complaint()) is not None:
            raise ExpectationNotMet(why)
        if instruments.undecided:
            item.stash[_UNDECIDED](instruments.undecided[0])
        return answer

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, Any, Any]:
        try:
            return (yield)
        finally:
            # monkeypatch may end after the fixture, and put back what it has found: the watched function.
            if (ended := item.stash.get(_ENDED, None)) is not None:
                del item.stash[_ENDED]
                ended.restore()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.when == "call" and call.excinfo is not None and _KEY in item.stash:
            from pytest_concurrency.session.output import report_edits

            report_edits.point_at_test(item, report)
            report_edits.show_message_only(item, call.excinfo, report)
        if call.when == "call" and _KEY in item.stash and (watched := item.stash[_KEY].watched()):
            observed.add(report, "calls", watched)
        return report
