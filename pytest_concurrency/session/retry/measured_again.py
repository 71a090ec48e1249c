"""``undecided="retry"``: a test that ends undecided is measured once more, at the end of the session.

The first run of such a test is a run like any other. Only its reports are held back by the process that reports, so
that the test has one outcome: that of its second run, or the one that was held back if the session ends before.

* Tests run again after the last one, in the process that ran them: the hook ``pytest_runtestloop`` has returned then.
  The teardown of the last one leaves the fixtures of scope session alone, and ends all others.
* A worker of xdist sends the reports of first runs as usual, and its controller holds them back. The reports of second
  runs come with what the worker says in the end: xdist takes a report as that of the test which ran last.

All but the hook around the loop is registered when a test is to be measured again.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal, NoReturn

import pytest

from pytest_concurrency.core.units import duration
from pytest_concurrency.session import xdist
from pytest_concurrency.session.controller import is_stopped
from pytest_concurrency.session.retry import ATTEMPT, held_reports
from pytest_concurrency.session.retry.held_reports import Replaced, ReplacesCalls

__tracebackhide__ = True

_STATE = pytest.StashKey["_Attempt"]()
_NAME = "concurrency_perf_measured_again"


@dataclass(slots=True)
class _Attempt:
    """Which run of a test it is, and what there is to say of the first one."""

    number: Literal[1, 2] = 1
    seconds: float = 0.0
    reason: str = ""
    sections: int = 0  # of its report


class Retries:
    """A plugin of the process that runs tests: keeps those that are undecided, and runs them again."""

    def __init__(self) -> None:
        self._session: pytest.Session | None = None
        self._kept: list[pytest.Item] = []
        self._again = False  # whether the second runs go on

    def skip(self, item: pytest.Item, reason: str, policy: str) -> NoReturn:
        """Skip an undecided test; with the policy ``retry``, keep it for the end of the session."""
        __tracebackhide__ = True
        if item.stash.get(_STATE, _Attempt()).number == 2:
            pytest.skip(f"undecided: measured again at the end of the session: {reason}")
        # Without the session, its loop ran before this plugin was there: no test asked for the fixture by a parameter.
        if policy == "retry" and self._session is not None:
            self._keep(item, reason)
        pytest.skip(f"undecided: {reason}")

    def _keep(self, item: pytest.Item, reason: str) -> None:
        assert self._session is not None
        if not item.config.pluginmanager.has_plugin(_NAME):
            item.config.pluginmanager.register(_KeptTests(self, self._session), _NAME)
            item.config.pluginmanager.register(ReplacesCalls(), f"{_NAME}_calls")
            held_reports.start(item.config)
        if item not in self._kept:  # a test that catches the skip may come to another one
            self._kept.append(item)
        item.stash[_STATE] = _Attempt(reason=reason)

    def forget(self, item: pytest.Item) -> None:
        """Leave a test as it is."""
        self._kept.remove(item)
        del item.stash[_STATE]

    def are_to_come(self, session: pytest.Session) -> bool:
        """Whether tests will run again after the one that ends."""
        return bool(self._kept) and not self._again and not is_stopped(session)

    # Last, so within what pytest's terminal reporter does around the loop: write how much of the session is done.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        self._session = session
        result = yield
        if self.are_to_come(session):
            self._again = True
            self._run(session)
        return result

    def _run(self, session: pytest.Session) -> None:
        for item, nextitem in zip_longest(self._kept, self._kept[1:]):
            item.stash[_STATE].number = 2
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
            if is_stopped(session):
                break
        # As pytest's own loop ends; in a worker of xdist, the loop just ends.
        if session.shouldfail and not xdist.is_worker(session.config):
            raise session.Failed(session.shouldfail)
        if session.shouldstop and not xdist.is_worker(session.config):
            raise session.Interrupted(session.shouldstop)


def first_attempt(item: pytest.Item) -> dict[str, Any] | None:
    """Return what a record says of the first run of a test that has run again; None of any other."""
    state = item.stash.get(_STATE, None)
    if state is None or state.number == 1:
        return None
    return {"seconds": round(state.seconds, 6), "reason": state.reason}


def keep_seconds(item: pytest.Item, record: dict[str, Any]) -> None:
    """Keep how long the verdicts of a first run took."""
    if (state := item.stash.get(_STATE, None)) is not None and state.number == 1:
        state.seconds = sum(expectation["seconds"] for expectation in record["expectations"])


class _Later(pytest.Item):
    """The next test for the teardown of the last one, while some will run again.

    It belongs to the session only, so that pytest ends the fixtures of functions, classes, modules and packages. With
    no next test, it would end those of the session too, and a database or a container would start twice.
    """

    # A conftest.py that compares the next test with the one that ends may ask for these of any test.
    module = cls = instance = function = obj = None

    def runtest(self) -> None:
        raise NotImplementedError


class _KeptTests:
    """A plugin of the process that runs tests, from the first one on that will run again."""

    def __init__(self, retries: Retries, session: pytest.Session) -> None:
        self._retries = retries
        self._session = session
        self._later = _Later.from_parent(session, name="tests that are measured again")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        if nextitem is None and self._retries.are_to_come(self._session):
            item.ihook.pytest_runtest_teardown(item=item, nextitem=self._later)
            raise Replaced
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        state = item.stash.get(_STATE, None)
        if state is None:
            return report
        if state.number == 2:
            report.sections = report.sections[state.sections :]
            if call.when == "call":
                told = f"measured again at the end of the session: undecided after {duration(state.seconds)} before"
                report.sections.append(("concurrency", told))
            setattr(report, ATTEMPT, "second")
        elif call.when == "call" and not report.skipped:
            self._retries.forget(item)  # the test has caught the exception
        elif call.when == "teardown" and report.failed:
            self._retries.forget(item)
            setattr(report, ATTEMPT, "only")
        else:
            setattr(report, ATTEMPT, "first")
            state.sections = len(report.sections)
        return report
