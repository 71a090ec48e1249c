"""Reports of tests that will run again: held back, so that pytest shows one outcome of each test."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from pytest_concurrency.session import xdist
from pytest_concurrency.session.retry import ATTEMPT

_OUTPUT = "concurrency_measured_again"  # what a worker of xdist says in the end
_NAME = "concurrency_perf_held_reports"


class Replaced(Exception):
    """Ends the call of a hook before any other plugin takes part: raised by a wrapper, and caught by another one."""


class ReplacesCalls:
    """A plugin that lets a wrapper which was registered right before it end the call of a hook."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self) -> Generator[None, object, object]:
        return (yield from self._unless_replaced())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        return (yield from self._unless_replaced())

    def _unless_replaced(self) -> Generator[None, object, object]:
        try:
            return (yield)
        except Replaced:
            return None


def start(config: pytest.Config) -> None:
    """Hold back the reports of first runs in this process from now on; in a worker of xdist, keep those of second ones.

    It may be called several times.
    """
    if config.pluginmanager.has_plugin(_NAME):
        return
    plugin = _Outbox(config) if xdist.is_worker(config) else HeldReports(config)
    config.pluginmanager.register(plugin, _NAME)
    config.pluginmanager.register(ReplacesCalls(), f"{_NAME}_calls")


class HeldReports:
    """A plugin of the process that reports."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._held: dict[tuple[object, str], list[pytest.TestReport]] = {}  # by xdist's worker and test

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, object, object]:
        attempt = getattr(report, ATTEMPT, None)
        key = (getattr(report, "node", None), report.nodeid)
        if attempt == "first":
            self._held.setdefault(key, []).append(report)
            self._tell(report)
            raise Replaced
        if attempt == "second":
            if report.when == "setup" and report.passed:
                raise Replaced  # that of the first run is out: it was not known then that another one follows
            self._held.pop(key, None)
        elif attempt == "only":
            self._let_go(key)
        return (yield)

    def _tell(self, report: pytest.TestReport) -> None:
        """Say behind the name of the test, where pytest shows it before the test runs, why no outcome follows."""
        reporter: Any = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.when == "call" and not hasattr(report, "node") and reporter is not None and reporter.verbosity > 0:
            reporter.write("undecided, measured again at the end ... ", yellow=True)

    def _let_go(self, key: tuple[object, str]) -> None:
        for report in self._held.pop(key, ()):
            delattr(report, ATTEMPT)
            if report.when == "call" and isinstance(report.longrepr, tuple):
                path, line, reason = report.longrepr
                said = "undecided, and the session ended before it was measured again: "
                report.longrepr = (path, line, reason.replace("undecided: ", said, 1))
            self._config.hook.pytest_runtest_logreport(report=report)

    # First, so that all who write files in the end have them.
    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        for key in list(self._held):
            self._let_go(key)


class _Outbox:
    """A plugin of xdist's workers: keeps the reports of second runs for the controller."""

    def __init__(self, config: pytest.Config) -> None:
        self._config: Any = config

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, object, object]:
        if getattr(report, ATTEMPT, None) == "second":
            data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
            given = self._config.workerinput
            data.update(worker_id=given["workerid"], testrun_uid=given["testrunuid"])  # as xdist does
            self._config.workeroutput.setdefault(_OUTPUT, []).append(data)
            raise Replaced
        return (yield)


def of_worker(config: pytest.Config, node: Any) -> None:
    """Report what a worker of xdist has run again."""
    for data in getattr(node, "workeroutput", {}).get(_OUTPUT, ()):
        report = config.hook.pytest_report_from_serializable(config=config, data=data)
        report.node = node
        config.hook.pytest_runtest_logreport(report=report)
