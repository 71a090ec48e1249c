"""The hooks, and nothing else: what pytest calls, and where the work is done.

This file is imported in every pytest session, so it imports little; a session without measured
tests loads none of the machinery.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_concurrency import options
from pytest_concurrency.markers import MARKERS, marker_lines

if TYPE_CHECKING:
    from pytest_concurrency.fixture import Concurrency
    from pytest_concurrency.model import Body, Outcome
    from pytest_concurrency.trial import Circumstances

SETTINGS = pytest.StashKey[options.Settings]()
RECORDS = pytest.StashKey["list[dict[str, Any]]"]()
OUTCOMES = pytest.StashKey["list[Outcome]"]()
EXPECTATIONS = pytest.StashKey["list[Any]"]()
REPORT_ATTRIBUTE = "concurrency_record"


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from pytest_concurrency import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    import pytest_concurrency

    if getattr(pytest_concurrency, "__distribution__", None) != "pytest-concurrency-perf":
        raise pytest.UsageError(
            f"The files in {pytest_concurrency.__file__} are not those of pytest-concurrency-perf: the unrelated "
            "distribution 'pytest-concurrency' ships a package of the same name and has overwritten them. Run: "
            "pip uninstall pytest-concurrency && pip install --force-reinstall pytest-concurrency-perf"
        )
    for line in marker_lines():
        config.addinivalue_line("markers", line)
    try:
        settings = options.read(config)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[SETTINGS] = settings
    config.stash[RECORDS] = []
    if settings.report_files and not _is_xdist_worker(config) and not config.option.collectonly:
        from pytest_concurrency.reports import files

        try:
            files.check_writable(settings.report_files)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    settings = config.stash[SETTINGS]
    if not (settings.only or settings.skip):
        return
    kept = [item for item in items if _measures(item) == settings.only]
    config.hook.pytest_deselected(items=[item for item in items if _measures(item) != settings.only])
    items[:] = kept


def _measures(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in MARKERS) or "concurrency" in getattr(item, "fixturenames", ())


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    marks = [mark for mark in item.iter_markers() if mark.name in MARKERS]
    if marks and not item.config.stash[SETTINGS].disable:
        item.stash[EXPECTATIONS] = _read_markers(item, marks)


def _show_message_only(item: pytest.Item, excinfo: Any, report: pytest.TestReport) -> None:
    """Replace a traceback through this plugin, which tells nobody anything, by the message."""
    from pytest_concurrency.errors import BrokenExpectation, ConcurrencyError, UndecidedExpectation

    if not report.failed or not isinstance(excinfo.value, (BrokenExpectation, UndecidedExpectation, ConcurrencyError)):
        return
    if any(str(entry.path) == str(item.path) for entry in excinfo.traceback[1:]):
        return  # raised by a call in the test itself: its line is worth seeing
    shown = excinfo.getrepr(style="value", tbfilter=False)
    if shown.reprcrash is not None:
        shown.reprcrash.path = str(item.path)
        shown.reprcrash.lineno = (item.location[1] or 0) + 1
        shown.reprcrash.message = str(excinfo.value).partition("\n\n")[0].replace("\n", " ")
    report.longrepr = shown


def _read_markers(item: pytest.Item, marks: list[pytest.Mark]) -> list[Any]:
    from pytest_concurrency.errors import BadArgument
    from pytest_concurrency.expectations import read_marker

    __tracebackhide__ = True
    function = item.obj if isinstance(item, pytest.Function) else None
    if function is None or _is_unittest(item):
        what = "a unittest.TestCase method" if function is not None else f"a {type(item).__name__}"
        raise pytest.fail.Exception(
            f"{item.nodeid} is marked {marks[0].name}, but it is {what}, whose body cannot be called again and again. "
            "Move the workload into a plain test function or method.",
            pytrace=False,
        )
    expectations: list[Any] = []
    for mark in marks:
        try:
            expectation = read_marker(mark.name, mark.args, mark.kwargs, inspect.iscoroutinefunction(function))
        except BadArgument as error:
            raise pytest.fail.Exception(f"{item.nodeid}: {error}", pytrace=False) from None
        if expectation not in expectations:
            expectations.append(expectation)
    return expectations


def _is_unittest(item: pytest.Item) -> bool:
    import unittest

    cls = getattr(item, "cls", None)
    return isinstance(cls, type) and issubclass(cls, unittest.TestCase)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    expectations = pyfuncitem.stash.get(EXPECTATIONS, None)
    if not expectations:
        return None
    from pytest_concurrency import call

    __tracebackhide__ = True
    with _live_line(pyfuncitem.config) as progress:
        call.run_marked(
            _body_of(pyfuncitem),
            expectations,
            _circumstances(pyfuncitem, progress),
            lambda outcome: _keep(pyfuncitem, outcome),
        )
    return True


def _body_of(item: pytest.Function) -> Body:
    from pytest_concurrency.model import Body

    wanted = inspect.signature(item.obj).parameters
    values = {name: value for name, value in item.funcargs.items() if name in wanted}
    return Body(item.obj, values=values, is_async=inspect.iscoroutinefunction(item.obj), label=item.name)


def _circumstances(item: pytest.Item, progress: Callable[[str], None]) -> Circumstances:
    from pytest_concurrency.backends import Surroundings
    from pytest_concurrency.expectations.base import Limits
    from pytest_concurrency.trial import Circumstances

    settings = item.config.stash[SETTINGS]
    return Circumstances(
        defaults=Limits(settings.margin, settings.max_time, settings.undecided),
        around=Surroundings(item.config.rootpath, settings.start_method),
        progress=progress,
    )


def _keep(item: pytest.Item, outcome: Outcome) -> None:
    item.stash.setdefault(OUTCOMES, []).append(outcome)


def _live_line(config: pytest.Config) -> Any:
    from pytest_concurrency import progress

    writer = config.get_terminal_writer() if config.pluginmanager.has_plugin("terminalreporter") else None
    return progress.live(writer)


@pytest.fixture
def concurrency(request: pytest.FixtureRequest) -> Generator[Concurrency, None, None]:
    """Measure code in a test: speedup(), compare(), bound(), measure()."""
    from pytest_concurrency import call
    from pytest_concurrency.fixture import Concurrency

    with _live_line(request.config) as progress:
        yield Concurrency(
            _circumstances(request.node, progress),
            lambda outcome: _keep(request.node, outcome),
            call.follow_policy,
        )


class _WorkerProxy:
    """Stands for whichever worker asks; travels to worker processes by name."""

    @property
    def index(self) -> int:
        """Number of this worker, from 0."""
        return _current().index  # type: ignore[no-any-return]

    @property
    def count(self) -> int:
        """How many workers take part in this batch."""
        return _current().count  # type: ignore[no-any-return]

    @property
    def backend(self) -> str:
        """Where it runs: serial, threads, processes or tasks."""
        return _current().backend  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<worker {self.index} of {self.count}, {self.backend}>"


def _current() -> Any:
    from pytest_concurrency.backends.job import current_worker

    return current_worker.get()


@pytest.fixture(scope="session")
def concurrency_worker() -> _WorkerProxy:
    """Inside a measured body, which worker this is: .index, .count, .backend."""
    return _WorkerProxy()


def pytest_assertrepr_compare(config: pytest.Config, op: str, left: object, right: object) -> list[str] | None:
    outcome = getattr(left, "outcome", None) or getattr(right, "outcome", None)
    if outcome is None or not type(left).__module__.startswith("pytest_concurrency"):
        return None
    # pytest cuts explanations after some lines: the first paragraph says what the repr says already.
    details = outcome.reason.split("\n\n")[1:]
    return [f"{left!r} {op} {right!r}", *(line for part in details for line in part.splitlines())]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.excinfo is not None:
        _show_message_only(item, call.excinfo, report)
    if call.when == "call" and (outcomes := item.stash.get(OUTCOMES, None)):
        from pytest_concurrency import record

        value = record.record_of(item.nodeid, outcomes)
        item.config.hook.pytest_concurrency_update_record(config=item.config, record=value)
        setattr(report, REPORT_ATTRIBUTE, value)
        del item.stash[OUTCOMES]  # a plugin may run the item again
        if report.skipped and isinstance(report.longrepr, tuple):
            # The place to look at is the test, not the line in this plugin that skipped it.
            report.longrepr = (str(item.path), (item.location[1] or 0) + 1, report.longrepr[2])
    return report


class _Collector:
    """Gathers the records of all reports, of xdist workers too."""

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self._records = records

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        value = getattr(report, REPORT_ATTRIBUTE, None)
        if value is not None:
            self._records.append(value)


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    if not _is_xdist_worker(config):
        config.pluginmanager.register(_Collector(config.stash[RECORDS]), "concurrency_perf_collector")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    settings = config.stash[SETTINGS]
    if _is_xdist_worker(config) or config.option.collectonly:
        return
    records = config.stash[RECORDS]
    if not (records or settings.report_files):
        return
    from pytest_concurrency import record
    from pytest_concurrency.reports import files

    run = record.run_of(_environment(config), records)
    config.hook.pytest_concurrency_report(config=config, run=run)
    files.write(settings.report_files, run)


def _environment(config: pytest.Config) -> dict[str, Any]:
    from pytest_concurrency.machine import environment
    from pytest_concurrency.probes import interference, thread_state

    missing = [reason for reason in (thread_state.unavailable(), interference.unavailable()) if reason]
    value = environment(missing)
    config.hook.pytest_concurrency_update_environment(config=config, environment=value)
    return value


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    records = config.stash[RECORDS]
    settings = config.stash[SETTINGS]
    if not records and not settings.full_report:
        return
    from pytest_concurrency.reports import terminal

    terminal.show(terminalreporter, records, settings)


def _is_xdist_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")
