"""From pytest's items to what the machinery needs, and back: bodies, expectations, messages."""

from __future__ import annotations

import inspect
import unittest
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_concurrency import sharing
from pytest_concurrency.backends import Surroundings
from pytest_concurrency.errors import BadArgument, BrokenExpectation, ConcurrencyError, UndecidedExpectation
from pytest_concurrency.expectations import read_marker
from pytest_concurrency.expectations.base import Expectation, Limits
from pytest_concurrency.model import Body
from pytest_concurrency.options import Settings
from pytest_concurrency.properties import PREFIX, properties_of
from pytest_concurrency.trial import Circumstances


def read_markers(item: pytest.Item, marks: list[pytest.Mark]) -> list[Expectation]:
    """Return what an item's markers expect; a bad one is that item's error, told without a traceback."""
    function = item.obj if isinstance(item, pytest.Function) else None
    if function is None or _is_unittest(item):
        what = "a unittest.TestCase method" if function is not None else f"a {type(item).__name__}"
        raise pytest.fail.Exception(
            f"{item.nodeid} is marked {marks[0].name}, but it is {what}, whose body cannot be called again and again. "
            "Move the workload into a plain test function or method.",
            pytrace=False,
        )
    expectations: list[Expectation] = []
    for mark in marks:
        try:
            expectation = read_marker(mark.name, mark.args, mark.kwargs, inspect.iscoroutinefunction(function))
        except BadArgument as error:
            raise pytest.fail.Exception(f"{item.nodeid}: {error}", pytrace=False) from None
        if expectation not in expectations:
            expectations.append(expectation)
    return expectations


def _is_unittest(item: pytest.Item) -> bool:
    cls = getattr(item, "cls", None)
    return isinstance(cls, type) and issubclass(cls, unittest.TestCase)


def body_of(item: pytest.Function, function: Callable[..., Any]) -> Body:
    """Return a test's function with the fixture values that it asks for."""
    wanted = inspect.signature(function).parameters
    values = {name: value for name, value in item.funcargs.items() if name in wanted}
    return Body(function, values=values, is_async=inspect.iscoroutinefunction(function), label=item.name)


def circumstances_of(item: pytest.Item, settings: Settings, progress: Callable[[str], None] | None) -> Circumstances:
    """Return what a trial needs to know of the session."""
    return Circumstances(
        defaults=Limits(settings.margin, settings.max_time, settings.undecided),
        around=Surroundings(item.config.rootpath, settings.start_method),
        progress=progress,
        alone=sharing.alone(item, progress),
    )


def add_properties(item: pytest.Item, report: pytest.TestReport, record: Mapping[str, Any]) -> None:
    """Put a record's figures where JUnit files take them from, in the place of those of an earlier run."""
    kept = [(name, value) for name, value in item.user_properties if not name.startswith(PREFIX)]
    # pytest takes them from the item for its last report, which the JUnit file is written from.
    item.user_properties[:] = [*kept, *properties_of(record)]
    report.user_properties = list(item.user_properties)


def show_message_only(item: pytest.Item, excinfo: pytest.ExceptionInfo[Any], report: pytest.TestReport) -> None:
    """Replace a traceback through this plugin, which tells nobody anything, by the message."""
    if not report.failed or not isinstance(excinfo.value, (BrokenExpectation, UndecidedExpectation, ConcurrencyError)):
        return
    if any(str(entry.path) == str(item.path) for entry in excinfo.traceback[1:]):
        return  # raised by a call in the test itself: its line is worth seeing
    shown: Any = excinfo.getrepr(style="value", tbfilter=False)
    if shown.reprcrash is not None:
        shown.reprcrash.path = str(item.path)
        shown.reprcrash.lineno = (item.location[1] or 0) + 1
        shown.reprcrash.message = str(excinfo.value).partition("\n\n")[0].replace("\n", " ")
    report.longrepr = shown


def point_at_test(item: pytest.Item, report: pytest.TestReport) -> None:
    """The place of a skip is the test, not the line in this plugin that skipped it."""
    if report.skipped and isinstance(report.longrepr, tuple):
        report.longrepr = (str(item.path), (item.location[1] or 0) + 1, report.longrepr[2])
