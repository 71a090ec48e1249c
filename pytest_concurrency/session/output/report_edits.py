"""Changes to pytest's reports of measured tests: a short message, the cause first, figures for JUnit files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from pytest_concurrency.core.errors import ConcurrencyError, ExpectationNotMet, UndecidedExpectation
from pytest_concurrency.core.outcomes import Outcome
from pytest_concurrency.reports.junit_properties import PREFIX, properties_of
from pytest_concurrency.verdicts import message


def add_properties(item: pytest.Item, report: pytest.TestReport, record: Mapping[str, Any]) -> None:
    """Store a record's figures where JUnit files are made from; they replace those of an earlier run."""
    kept = [(name, value) for name, value in item.user_properties if not name.startswith(PREFIX)]
    # pytest copies them from the item to its last report, from which the JUnit file is written.
    item.user_properties[:] = [*kept, *properties_of(record)]
    report.user_properties = list(item.user_properties)


def show_message_only(item: pytest.Item, excinfo: pytest.ExceptionInfo[Any], report: pytest.TestReport) -> None:
    """Replace a traceback that has frames of this plugin only, and so explains nothing, by the message."""
    if not report.failed or not isinstance(excinfo.value, (ExpectationNotMet, UndecidedExpectation, ConcurrencyError)):
        return
    if any(str(entry.path) == str(item.path) for entry in excinfo.traceback[1:]):
        return  # raised by a call in the test itself: its line is worth seeing
    shown: Any = excinfo.getrepr(style="value", tbfilter=False)
    if shown.reprcrash is not None:
        shown.reprcrash.path = str(item.path)
        shown.reprcrash.lineno = (item.location[1] or 0) + 1
        shown.reprcrash.message = " ".join((getattr(excinfo.value, "summary", "") or str(excinfo.value)).split())
        place = {"path": item.location[0], "message": type(excinfo.value).__name__}
        shown.reprtraceback.reprentries[-1].reprfileloc = replace(shown.reprcrash, **place)
    report.longrepr = shown


def put_cause_first(report: pytest.TestReport, outcomes: Sequence[Outcome]) -> None:
    """Add cause and place to the first line of a failed comparison: a log's summary may show no other line."""
    crash: Any = getattr(report.longrepr, "reprcrash", None)
    if crash is None or "\n" not in crash.message:
        return
    first, whole = crash.message.partition("\n")[0], " ".join(crash.message.split())
    findings = [outcome.finding for outcome in outcomes if outcome.finding is not None and outcome.finding.cause]
    shown = next((finding for finding in reversed(findings) if finding.cause in whole), None)
    if shown is not None:
        crash.message = " ".join([f"{first}.", *message.lines(shown)[:-1]])


def fail_with(report: pytest.TestReport, complaint: str) -> None:
    """Fail a test for a reason outside of it. If it has failed already, its own failure is still shown."""
    if report.failed:
        report.sections.append(("concurrency", complaint))
    else:
        report.outcome = "failed"
        report.longrepr = complaint


def point_at_test(item: pytest.Item, report: pytest.TestReport) -> None:
    """Set the place of a skip to the test, instead of the line in this plugin that skipped it."""
    if report.skipped and isinstance(report.longrepr, tuple):
        report.longrepr = (str(item.path), (item.location[1] or 0) + 1, report.longrepr[2])
