"""The plugin of the process that ends the session: it collects the records of all tests and reports them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_concurrency.session.options import Settings
    from pytest_concurrency.session.run_archive import Kept

_WORTH_SAYING = 2.0  # seconds; the summary mentions waiting from here on
_COMPLETE = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
# The attribute of a test report that has its record, in plain JSON types, so that xdist's workers can send it.
REPORT_ATTRIBUTE = "concurrency_record"
FAILED_ATTRIBUTE = "concurrency_failed"  # on a report that failed, of a test that measures


def is_complete(session: pytest.Session, exitstatus: int) -> bool:
    """Whether all tests that were collected have run."""
    return exitstatus in _COMPLETE and not is_stopped(session)


def is_stopped(session: pytest.Session) -> bool:
    """Whether -x, --maxfail or --stepwise has stopped it: its exit status is that of one that ran all its tests."""
    return bool(session.shouldfail or session.shouldstop)


class RecordCollector:
    """A plugin that takes the records from test reports; registered only where tests may measure."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.records: list[dict[str, Any]] = []
        self.failed: dict[str, None] = {}  # measured tests, in their order
        self.profiles: list[tuple[str, str]] = []  # of tests that do not fail: pytest shows those of the others

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # xdist makes the report of a test whose worker has crashed, in no phase: it may be one that measures.
        crashed = report.failed and report.when not in ("setup", "call", "teardown")
        if getattr(report, FAILED_ATTRIBUTE, False) or crashed:
            self.failed[report.nodeid] = None
        value = getattr(report, REPORT_ATTRIBUTE, None)
        # pytest-rerunfailures will run a test with the outcome "rerun" again: only the last run counts.
        if value is not None and str(report.outcome) != "rerun":
            self.records.append(value)
            if not report.failed:
                self.profiles += [(report.nodeid, profile["text"]) for profile in value.get("profile", ())]

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_from_serializable(self, data: dict[str, Any]) -> None:
        """Hold back from now on what is reported of tests that xdist's workers will run again."""
        from pytest_concurrency.session.retry import ATTEMPT

        if ATTEMPT in data:
            from pytest_concurrency.session.retry import held_reports

            held_reports.start(self._config)


class Controller:
    """A plugin of the controller, or of the only process; xdist's workers have none.

    This file is imported in every session: it loads the rest on use. None of its hooks runs for each test.
    """

    NAME = "concurrency_perf_controller"

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self._config = config
        self._settings = settings
        self._collected = RecordCollector(config)
        self._collects = False
        self._complaints: list[str] = []
        self._waited = 0.0  # seconds that tests of xdist's workers have waited for other sessions and workers
        self._kept: Kept | None = None
        self._surveyed: dict[str, Any] | None = None
        if settings.max_block and not config.option.collectonly:
            self.collect()  # blocks of event loops come with the reports of tests that measure nothing, too

    def collect(self) -> None:
        """Take records from now on, because tests of this session, or of its workers, may measure."""
        if not self._collects:
            self._collects = True
            self._config.pluginmanager.register(self._collected, "concurrency_perf_record_collector")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        keeps = self._settings.save or self._settings.compare
        wanted = self._settings.report_files or self._settings.survey or keeps
        if self._config.option.collectonly or not (self._collected.records or wanted):
            return
        from pytest_concurrency.reports import files
        from pytest_concurrency.runs import record
        from pytest_concurrency.session import hook_calls

        run = record.run_of(self._environment(), self._collected.records) | self._watched
        if keeps:
            from pytest_concurrency.session import baselines
            from pytest_concurrency.session.run_archive import Kept

            self._kept = Kept(self._settings, baselines.all_of(self._config, self._settings))
            run = self._kept.compare(run)
        whole = {**run, **self._survey()}
        self._complaints += files.write(self._settings.report_files, whole, self._history)
        if self._kept is not None:
            self._kept.save(run, is_complete(session, exitstatus), list(self._collected.failed))
        # Last, so that every reporter runs before.
        hook = self._config.hook.pytest_concurrency_report
        self._complain(hook_calls.told("pytest_concurrency_report", lambda: hook(config=self._config, run=whole)))
        failed = self._complaints or (self._kept is not None and self._kept.failed)
        if failed and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _survey(self) -> dict[str, Any]:
        """Return what a run has of a survey; a saved one has nothing, as it is there to be compared with."""
        if not self._settings.survey:
            return {}
        from pytest_concurrency.session.survey.collector import SurveyCollector

        collector = self._config.pluginmanager.get_plugin(SurveyCollector.NAME)
        assert isinstance(collector, SurveyCollector)
        self._surveyed = collector.result()
        return {"survey": self._surveyed}

    def _complain(self, complaint: str | None) -> None:
        if complaint is not None:
            self._complaints.append(complaint)

    def _history(self) -> list[dict[str, Any]]:
        from pytest_concurrency.reports.history import earlier_runs
        from pytest_concurrency.runs.store import Storage

        return earlier_runs(Storage(self._settings.storage))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Take records from xdist's workers, and send them the name of the run that they compare with."""
        self.collect()  # the controller collects no tests itself, so it cannot know whether any of them measures
        if self._settings.compare is not None:
            from pytest_concurrency.session import baselines

            if (found := baselines.baseline_of(self._config, self._settings)) is not None:
                node.workerinput[baselines.WORKER_KEY] = found.name

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take from a worker of xdist what it has run again, and how long its tests have waited for others."""
        from pytest_concurrency.session.host import sharing
        from pytest_concurrency.session.retry import held_reports

        held_reports.of_worker(self._config, node)
        self._waited += getattr(node, "workeroutput", {}).get(sharing.WAITED, 0.0)

    def _environment(self) -> dict[str, Any]:
        from pytest_concurrency.machine.cpus import environment
        from pytest_concurrency.probes import availability
        from pytest_concurrency.session import hook_calls, items

        hook = self._config.hook.pytest_concurrency_update_environment
        value, complaint = hook_calls.updated(
            "pytest_concurrency_update_environment",
            lambda changed: hook(config=self._config, environment=changed),
            {**environment(availability.reasons()), "priority": str(items.priority_of(self._config, self._settings))},
        )
        self._complain(complaint)
        return value

    @property
    def _watched(self) -> dict[str, Any]:
        """What a run says of the guard of event loops."""
        return {"max_block": self._settings.max_block} if self._settings.max_block else {}

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._config.option.collectonly:
            return
        measured = [record for record in self._collected.records if record["expectations"]]
        if measured or self._settings.full_report or self._complaints:
            from pytest_concurrency.probes import availability
            from pytest_concurrency.reports import terminal
            from pytest_concurrency.session import items

            reasons = availability.reasons() if self._settings.full_report else []
            settings = self._settings
            priority = items.priority_of(self._config, settings)
            refused = priority.why if settings.priority in ("nice", "realtime") else ""
            layout = terminal.Layout(settings.full_report, settings.columns, settings.sort, str(priority), refused)
            terminal.show(terminalreporter, measured, layout, self._complaints, reasons)
        if self._settings.disable and not self._settings.skip:
            terminalreporter.write_line("concurrency: nothing was measured (--concurrency-disable)", yellow=True)
        if self._surveyed is not None:
            from pytest_concurrency.reports import survey_text

            survey_text.show(terminalreporter, self._surveyed)
        self._show_waiting(terminalreporter)
        self._show_blocks(terminalreporter)
        for nodeid, text in self._collected.profiles:
            terminalreporter.section(f"concurrency profile of {nodeid}", sep="-")
            terminalreporter.write_line(text)
        if self._kept is not None:
            self._show_kept(terminalreporter, self._kept)

    def _show_blocks(self, reporter: Any) -> None:
        if not self._settings.max_block:
            return
        from pytest_concurrency.reports import blocks

        found = blocks.blocks_of({"records": self._collected.records, **self._watched})
        if found is not None and found.times:
            reporter.ensure_newline()
            reporter.section(found.title)
            for line in blocks.in_terminal(found, reporter.config.get_terminal_writer().fullwidth):
                reporter.write_line(line)

    def _show_waiting(self, reporter: Any) -> None:
        if not self._collects:
            return
        from pytest_concurrency.session.host import sharing

        waited = self._waited + sharing.waited(self._config)
        if waited >= _WORTH_SAYING:
            reporter.ensure_newline()
            reporter.write_line(f"tests waited {waited:.0f} s for other sessions or workers (--concurrency-quiet-host)")

    def _show_kept(self, reporter: Any, kept: Kept) -> None:
        reporter.ensure_newline()
        reporter.section(kept.title, sep="=")
        for line in kept.lines(reporter.config.get_terminal_writer().fullwidth, brief=reporter.verbosity < 0):
            reporter.write_line(line.text, **({line.color: True} if line.color else {}))
