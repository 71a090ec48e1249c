"""Collects what the process, or xdist's workers, have read of their tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.cpus import usable_cpus
from pytest_concurrency.probes.interference import InterferenceMeter
from pytest_concurrency.survey import summary, values
from pytest_concurrency.survey.summary import Process, Session
from pytest_concurrency.survey.values import Phase, SurveyedTest

ATTRIBUTE = "concurrency_survey"  # of a test's last report, and of a worker's output: plain values
MEASURED = "measured"


class SurveyCollector:
    """Only in the process that reports."""

    NAME = "concurrency_perf_survey_collector"

    def __init__(self) -> None:
        self._begun = CLOCKS.wall() - CLOCKS.process_cpu()  # pytest's own start is part of the session
        self._load: InterferenceMeter | None = InterferenceMeter()
        self._tests: dict[str, SurveyedTest] = {}
        self._measured: dict[str, Phase] = {}
        self._processes: list[Process] = []
        self._fit: set[str] = set()
        self._unseen = 0
        self._workers = 0

    def listen(self, manager: pytest.PytestPluginManager) -> None:
        """Take what workers of xdist send."""
        self._load = None  # the workers would count as other programs
        manager.register(_FromWorkers(self), f"{self.NAME}_listener")

    def add(self, test: SurveyedTest, is_measured: bool) -> None:
        """Take a test; if it has run before, the last run counts."""
        if is_measured:
            self._measured[test.nodeid] = test.whole
        else:
            self._tests[test.nodeid] = test

    def add_process(
        self, process: Process | None, fit: Iterable[str], unseen: int = 0, is_worker: bool = False
    ) -> None:
        """Take what a process that ran tests knows at its end.

        :param unseen: how many of its tests it has not seen, as another plugin ran them elsewhere.
        """
        self._processes += [] if process is None else [process]
        self._fit.update(fit)
        self._unseen += unseen
        self._workers += is_worker

    def result(self) -> dict[str, Any]:
        """Return the survey, as reports have it."""
        session = Session(
            elapsed=CLOCKS.wall() - self._begun,
            cpus=usable_cpus(),
            workers=self._workers,
            measured=values.together(self._measured.values()),
            measured_tests=len(self._measured),
            unseen=self._unseen,
            foreign=None if self._load is None else self._load.overall().foreign,
        )
        return summary.of(list(self._tests.values()), self._processes, session, self._fit)


class _FromWorkers:
    """A plugin of the controller of xdist."""

    def __init__(self, collector: SurveyCollector) -> None:
        self._collector = collector

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if (sent := getattr(report, ATTRIBUTE, None)) is not None:
            self._collector.add(values.from_report(report.nodeid, sent), sent[MEASURED])

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        sent = getattr(node, "workeroutput", {}).get(ATTRIBUTE)
        if sent is not None:
            process = sent["process"] and summary.process_from(sent["process"])
            self._collector.add_process(process, sent["fit"], is_worker=True)
