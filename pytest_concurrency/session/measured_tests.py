"""The hooks that run for each test, in a plugin that only sessions with measured tests register.

In a suite that never measures, they cost nothing per test. ``start`` registers the plugin: at the end of the
collection, or when a test asks for the fixture ``concurrency`` while it runs.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any, TextIO

import pytest

from pytest_concurrency.backends.batch import forget_inputs
from pytest_concurrency.backends.event_loops.borrowed_loop import BorrowedLoop
from pytest_concurrency.backends.serialization import RemoteTraceback
from pytest_concurrency.core import text
from pytest_concurrency.core.outcomes import Outcome
from pytest_concurrency.probes import tracers
from pytest_concurrency.runs import record
from pytest_concurrency.session import (
    async_plugins,
    explanations,
    hook_calls,
    instruments,
    items,
    marked_test,
    observed,
    other_plugins,
    selection,
    undecided,
    xdist,
)
from pytest_concurrency.session.controller import FAILED_ATTRIBUTE, REPORT_ATTRIBUTE, Controller
from pytest_concurrency.session.disabled import PlainConcurrency
from pytest_concurrency.session.fixture import Concurrency
from pytest_concurrency.session.host import sharing
from pytest_concurrency.session.options import Settings
from pytest_concurrency.session.output import captured_output, item_warnings, live_line, report_edits
from pytest_concurrency.session.retry import measured_again
from pytest_concurrency.verdicts.outcome import opposite

NAME = "concurrency_perf_measured_tests"
OUTCOMES = pytest.StashKey[list[Outcome]]()
RECORD = pytest.StashKey[dict[str, Any]]()
PASSED = pytest.StashKey[bool]()  # whether the call of the test passed
FUNCTION = pytest.StashKey[Any]()
EXPECTATIONS = pytest.StashKey[list[Any]]()

_ACCEPTED = "the test passed, although it is not met: assert the comparison, unless the test expects its failure."


def start(config: pytest.Config, settings: Settings) -> MeasuredTests:
    """Return this session's plugin; register it if it is not registered yet."""
    known = config.pluginmanager.get_plugin(NAME)
    if known is not None:
        assert isinstance(known, MeasuredTests)
        return known
    terminal = None
    if not xdist.is_worker(config):
        controller = config.pluginmanager.get_plugin(Controller.NAME)
        assert isinstance(controller, Controller)
        controller.collect()
        if config.pluginmanager.has_plugin("terminalreporter") and (terminal := live_line.terminal()) is not None:
            config.add_cleanup(terminal.close)
    plugin = MeasuredTests(settings, terminal)
    config.pluginmanager.register(plugin, NAME)
    config.pluginmanager.register(plugin.retries, "concurrency_perf_retries")
    if settings.quiet_host and not settings.disable:
        sharing.start(config, settings.quiet_host, plugin.live_line)
    return plugin


class MeasuredTests:
    """Measures marked tests instead of calling them, provides the fixture, and adds records to the reports."""

    def __init__(self, settings: Settings, terminal: TextIO | None) -> None:
        self._settings = settings
        self._terminal = terminal
        self.retries: measured_again.Retries = measured_again.Retries()

    # Last, so that markers of skipped tests are not read: skipped by a mark, a hook of a conftest.py or a fixture.
    @pytest.hookimpl(trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if marks := selection.marks_of(item):
            item.stash[EXPECTATIONS] = items.read_markers(item, marks, self._settings.disable)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        __tracebackhide__ = True
        other_plugins.allow_own_readings(item)
        if not (isinstance(item, pytest.Function) and item.stash.get(EXPECTATIONS, None)):
            return (yield)
        # Later, pytest-asyncio has replaced an async def by a plain function.
        item.stash[FUNCTION] = item.obj
        try:
            if not inspect.iscoroutinefunction(item.obj) or self._runs_plainly(item.config):
                return (yield)
            with async_plugins.lent(item, functools.partial(self._run_marked, item)):
                return (yield)
        finally:
            forget_inputs()  # a body that ran only once leaves its input, which a later test without setup= would get

    def _runs_plainly(self, config: pytest.Config) -> bool:
        # With --trace, a debugger steps through the body, so it runs only once.
        return self._settings.disable or bool(config.getoption("trace", False))

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        expectations = pyfuncitem.stash.get(EXPECTATIONS, None)
        __tracebackhide__ = True
        if not expectations:
            return async_plugins.run_alone(pyfuncitem)
        function = pyfuncitem.stash[FUNCTION]
        if inspect.iscoroutinefunction(function) and async_plugins.runs_elsewhere(pyfuncitem):
            return None
        if self._runs_plainly(pyfuncitem.config):
            return marked_test.run_once(items.body_of(pyfuncitem, function, expectations))
        self._run_marked(pyfuncitem)
        return True

    def _run_marked(self, item: pytest.Function, borrowed_loop: BorrowedLoop | None = None) -> None:
        __tracebackhide__ = True
        expectations = item.stash[EXPECTATIONS]
        with self.live_line(item.config) as progress:
            marked_test.run_marked(
                items.body_of(item, item.stash[FUNCTION], expectations),
                expectations,
                items.circumstances_of(item, self._settings, progress, borrowed_loop),
                functools.partial(_keep, item),
                functools.partial(self.retries.skip, item),
            )

    @contextlib.contextmanager
    def fixture_of(self, item: pytest.Item) -> Iterator[Concurrency | PlainConcurrency]:
        """Yield the value of the fixture ``concurrency`` of one test; warn of what the test forgot to compare."""
        skip = functools.partial(self.retries.skip, item)
        follow_undecided = functools.partial(undecided.follow, self._settings.undecided, skip)
        if self._settings.disable:
            with instruments.of(item, follow_undecided) as made:
                yield PlainConcurrency(made)
            return
        if (why := other_plugins.why_not_timed(item)) is not None:
            pytest.fail(text.wrap(f"concurrency cannot measure in this test: {why}."), pytrace=False)
        is_measured = bool(selection.marks_of(item)) and not self._runs_plainly(item.config)
        with (
            self.live_line(item.config) as progress,
            instruments.of(item, follow_undecided, is_measured) as made,
        ):
            asked = Concurrency(
                items.circumstances_of(item, self._settings, progress),
                functools.partial(_keep, item),
                functools.partial(marked_test.follow_policy, skip=skip),
                functools.partial(item.add_report_section, "call", "concurrency"),
                made,
            )
            yield asked
            asked.close()
            forgotten = asked.never_asked()
            for one in forgotten:
                item_warnings.warn_forgotten(item, *one)
            if asked.gauge_says_nothing():
                item_warnings.warn_gauge(item)
            # A finding that was never compared is undecided; under "skip" and "pass", the test passes with the warning.
            if forgotten and self._settings.undecided == "fail" and item.stash.get(PASSED, False):
                pytest.fail(
                    f"undecided: {forgotten[0][0]} was never compared with anything, so nothing was measured",
                    pytrace=False,
                )

    def live_line(self, config: pytest.Config) -> Any:
        """Return a context of a function that shows progress after the test's name; None without a terminal."""
        if self._terminal is None:
            return live_line.live(None, 0)
        writer = config.get_terminal_writer()
        return live_line.live(self._terminal, writer.fullwidth - writer.width_of_current_line)

    def pytest_assertrepr_compare(
        self, config: pytest.Config, op: str, left: object, right: object
    ) -> list[str] | None:
        return explanations.explanation(op, left, right)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if EXPECTATIONS in item.stash or OUTCOMES in item.stash or RECORD in item.stash:
            report.sections = captured_output.shorten(report.sections)
            if call.excinfo is not None:
                report_edits.show_message_only(item, call.excinfo, report)
                if isinstance(call.excinfo.value.__cause__, RemoteTraceback):
                    report_edits.point_at_test(item, report)  # its own traceback does not reach into the worker
        if call.when == "call":
            item.stash[PASSED] = report.passed
        if call.when == "call" and (outcomes := item.stash.get(OUTCOMES, None)):
            _add_record(item, report, outcomes)
        if report.failed and next(selection.measured([item]), None) is not None:
            setattr(report, FAILED_ATTRIBUTE, True)
        return report

    @pytest.hookimpl(optionalhook=True)
    def pytest_json_runtest_metadata(self, item: pytest.Item) -> dict[str, Any]:
        """Give pytest-json-report the record."""
        value = item.stash.get(RECORD, None)
        return {} if value is None else {REPORT_ATTRIBUTE: value}


def _keep(item: pytest.Item, outcome: Outcome, instead: Outcome | None = None) -> None:
    """Keep an outcome for the record; ``instead`` is the one that it replaces when a finding is compared again."""
    kept = item.stash.setdefault(OUTCOMES, [])
    at = next((index for index, one in enumerate(kept) if one is instead), len(kept))
    kept[at : at + 1] = [outcome]


def _accepted(outcome: Outcome) -> Outcome:
    """Return the outcome of a test that passed: met if it has negated it, else with the reason why it did not fail."""
    if outcome.verdict != "not_met" or outcome.finding is None:
        return outcome
    if outcome.negated:
        return opposite(outcome)
    return replace(outcome, finding=replace(outcome.finding, try_next=_ACCEPTED))


def _add_record(item: pytest.Item, report: pytest.TestReport, outcomes: list[Outcome]) -> None:
    if report.passed:
        outcomes = [_accepted(outcome) for outcome in outcomes]
    report_edits.put_cause_first(report, outcomes)
    traced_by = [*tracers.tracers(), *(["memray"] if other_plugins.is_memory_tracked(item) else [])]
    first = measured_again.first_attempt(item)
    value = record.record_of(item.nodeid, outcomes, traced_by, sharing.record_of(item), first) | observed.of(report)
    measured_again.keep_seconds(item, value)
    items.add_profiles(item, report, value)
    # Only hooks of the item's own conftest files: those of other folders are not about this test.
    update = item.ihook.pytest_concurrency_update_record
    value, complaint = hook_calls.updated(
        "pytest_concurrency_update_record", lambda changed: update(config=item.config, record=changed), value
    )
    if complaint is not None:
        report_edits.fail_with(report, complaint)
    setattr(report, REPORT_ATTRIBUTE, value)
    item.stash[RECORD] = value
    del item.stash[OUTCOMES]  # a plugin may run the item again
    report_edits.add_properties(item, report, value)
    report_edits.point_at_test(item, report)
