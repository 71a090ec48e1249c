"""Reads the tests of one process in their one ordinary run."""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
from collections.abc import Generator
from typing import Any

import pytest

from pytest_concurrency.instruments import block_list
from pytest_concurrency.instruments.collector_clock import COLLECTOR_CLOCK
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.session import observed, selection
from pytest_concurrency.session.controller import is_complete
from pytest_concurrency.session.loops.loop_watch import LoopWatch
from pytest_concurrency.session.options import Settings
from pytest_concurrency.session.survey.collector import ATTRIBUTE, MEASURED, SurveyCollector
from pytest_concurrency.survey import likely, summary, values
from pytest_concurrency.survey.phase_clock import PhaseClock
from pytest_concurrency.survey.summary import Process
from pytest_concurrency.survey.values import Phase, SurveyedTest

_BLOCK = 0.05  # seconds: shorter blocks of an event loop are not looked for
_LOOKED_AT = 4 * likely.MOST_MARKERS  # candidates for a marker whose code is looked at in the end

__tracebackhide__ = True


class SurveyReader:
    """A plugin of the process that runs the tests.

    Of a plain test only one hook is used, once in each phase: calling a hook takes longer than what is read in it.

    :param collector: where the tests go; None in a worker of xdist, which puts them on the reports.
    """

    NAME = "concurrency_perf_survey"

    def __init__(self, settings: Settings, collector: SurveyCollector | None) -> None:
        self._collector = collector
        self._measures = not settings.disable
        self._boot = CLOCKS.process_cpu()
        # With --concurrency-max-block, the blocks are those that the guard finds.
        self._loops = None if settings.max_block else LoopWatch(_BLOCK, late=True)
        COLLECTOR_CLOCK.start()
        collected = functools.partial(COLLECTOR_CLOCK.spent_since, threading.get_ident())
        self._clock = PhaseClock(self._loops.cpu if self._loops is not None else lambda: 0.0, collected)
        if self._loops is not None:
            self._loops.start()
        self._measured_items: set[pytest.Item] = set()
        self._process: Process | None = None
        self._spent = values.NO_TIME  # by all tests
        self._seen = 0
        self._candidates: dict[str, tuple[pytest.Item, SurveyedTest]] = {}
        self._forget()

    def _forget(self) -> None:
        """Begin a new test."""
        self._phases: dict[str, Phase] = {}
        self._outcome = "passed"
        self._is_measured = False
        self._blocks: list[dict[str, Any]] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if self._measures:
            self._measured_items = set(selection.measured(session.items))
        if self._loops is not None:
            is_async = any(inspect.iscoroutinefunction(getattr(item, "obj", None)) for item in session.items)
            if is_async or self._measured_items:
                calls = _Calls(self._loops, self._measured_items)
                session.config.pluginmanager.register(calls, f"{self.NAME}_calls")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, Any, Any]:
        cpu, begun, delay = CLOCKS.process_cpu(), CLOCKS.wall(), self._clock.run_delay()
        try:
            return (yield)
        finally:
            spent = self._spent
            wall = max(0.0, CLOCKS.wall() - begun - spent.wall)
            own = min(wall, max(0.0, CLOCKS.process_cpu() - cpu - spent.cpu))
            delayed = self._clock.run_delay() - delay - (spent.delay or 0.0)
            between = Phase(wall, own, 0.0, min(wall - own, max(0.0, delayed)))
            # A worker mostly waits for the controller between its tests.
            self._process = Process(self._boot, cpu, between if self._collector else Phase(own, own))

    # Around those of others, so that the report has all that they put on it.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        if call.when == "setup":
            self._forget()
        self._phases[call.when] = self._clock.phase(call.duration)
        report = yield
        if report.outcome != "passed" and self._outcome != "failed":
            self._outcome = "failed" if report.failed else "skipped"
        if call.when == "call":
            # A test that asks with request.getfixturevalue() is not known to measure before.
            self._is_measured = item in self._measured_items or observed.is_measured(report)
            self._blocks += observed.of(report).get("blocks", ())
        elif call.when == "teardown":
            self._end(item, report)
        return report

    def _end(self, item: pytest.Item, report: pytest.TestReport) -> None:
        if self._loops is not None:
            self._blocks += (block_list.as_json(block, None, block.low > _BLOCK) for block in self._loops.take())
        phases = tuple(self._phases.get(name, values.NO_TIME) for name in values.PHASES)
        test = SurveyedTest(item.nodeid, self._outcome, phases, tuple(self._blocks))
        self._seen += 1
        self._spent = values.together((self._spent, *phases))
        if self._collector is not None:
            self._collector.add(test, self._is_measured)
        else:
            setattr(report, ATTRIBUTE, {**values.on_report(test), MEASURED: self._is_measured})
        if test.call.wall >= likely.SHORTEST and not self._is_measured and likely.marker_of(test) is not None:
            self._candidates[test.nodeid] = item, test

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        fit = self._fit()
        if self._collector is not None:
            unseen = max(0, session.testscollected - self._seen) if is_complete(session, exitstatus) else 0
            self._collector.add_process(self._process, fit, unseen)
            return
        process = self._process and summary.process_json(self._process)
        session.config.workeroutput[ATTRIBUTE] = {"process": process, "fit": fit}  # type: ignore[attr-defined]

    def pytest_unconfigure(self) -> None:
        if self._loops is not None:
            self._loops.close()
        self._clock.close()
        COLLECTOR_CLOCK.stop()

    def _fit(self) -> list[str]:
        """Return which of the best candidates can have a marker: their bodies can be called again and again."""
        if not self._candidates:
            return []
        from pytest_concurrency.session import items

        found = []
        for test in likely.candidates(test for _, test in self._candidates.values())[:_LOOKED_AT]:
            suggestion = likely.marker_of(test)
            assert suggestion is not None
            mark = getattr(pytest.mark, suggestion.name)(**suggestion.arguments).mark
            # As it would be refused by its own test; another plugin's item may raise anything.
            with contextlib.suppress(Exception, pytest.fail.Exception):
                items.read_markers(self._candidates[test.nodeid][0], [mark])
                found.append(test.nodeid)
        return found


class _Calls:
    """Only where there are async or measured tests: watches other loops than asyncio's, and none that is measured."""

    def __init__(self, loops: LoopWatch, measured: set[pytest.Item]) -> None:
        self._loops = loops
        self._measured = measured

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        __tracebackhide__ = True
        if item not in self._measured:
            with self._loops.body_of(item):
                return (yield)
        self._loops.is_on = False
        try:
            return (yield)
        finally:
            self._loops.is_on = True
