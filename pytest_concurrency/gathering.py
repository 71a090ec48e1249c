"""What the process that ends the session does: gather the records of all tests, and report them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_concurrency.options import Settings

# What a test report carries its record by; plain JSON types, so that it crosses from xdist's workers.
REPORT_ATTRIBUTE = "concurrency_record"


class Gathering:
    """A plugin of the controller (or the only process); xdist's workers have none.

    This file is imported in every session: it loads the rest on use.
    """

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self._config = config
        self._settings = settings
        self._records: list[dict[str, Any]] = []
        self._complaints: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        value = getattr(report, REPORT_ATTRIBUTE, None)
        if value is not None:
            self._records.append(value)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._config.option.collectonly or not (self._records or self._settings.report_files):
            return
        from pytest_concurrency import record
        from pytest_concurrency.reports import files

        run = record.run_of(self._environment(), self._records)
        self._config.hook.pytest_concurrency_report(config=self._config, run=run)
        self._complaints = files.write(self._settings.report_files, run, self._history)
        if self._complaints and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _history(self) -> list[dict[str, Any]]:
        from pytest_concurrency.reports.history import earlier_runs
        from pytest_concurrency.store import DEFAULT, Storage

        return earlier_runs(Storage(getattr(self._settings, "storage", DEFAULT)))

    def _environment(self) -> dict[str, Any]:
        from pytest_concurrency.machine import environment
        from pytest_concurrency.probes import interference, thread_state

        missing = [reason for reason in (thread_state.unavailable(), interference.unavailable()) if reason]
        value = environment(missing)
        self._config.hook.pytest_concurrency_update_environment(config=self._config, environment=value)
        return value

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._config.option.collectonly or not (self._records or self._settings.full_report or self._complaints):
            return
        from pytest_concurrency.reports import terminal

        terminal.show(terminalreporter, self._records, self._settings, self._complaints)
