"""What was seen in a test's ordinary run, in its record: calls of watched functions, blocks of event loops."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_concurrency.runs import record
from pytest_concurrency.session.controller import REPORT_ATTRIBUTE


def add(report: pytest.TestReport, name: str, found: list[dict[str, Any]]) -> None:
    """Put what was seen into the record on a test's report; a test that measures nothing gets a record for it."""
    value = getattr(report, REPORT_ATTRIBUTE, None)
    if value is None:
        value = record.unmeasured(report.nodeid)
        setattr(report, REPORT_ATTRIBUTE, value)
    value[name] = found


def is_measured(report: pytest.TestReport) -> bool:
    """Whether the test measured something, and was not only observed."""
    value = getattr(report, REPORT_ATTRIBUTE, None)
    return value is not None and record.is_measured(value)


def of(report: pytest.TestReport) -> dict[str, Any]:
    """Return what was seen so far."""
    value = getattr(report, REPORT_ATTRIBUTE, None) or {}
    return {name: value[name] for name in record.OBSERVED if name in value}
