"""The hooks, and nothing else: what pytest calls, and where the work is done.

This file is imported in every pytest session, so it imports little; a session without measured
tests loads none of the machinery.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from pytest_concurrency.expectations.markers import MARKERS, marker_lines
from pytest_concurrency.session import options, package_conflict, xdist

if TYPE_CHECKING:
    import pathlib

    from pytest_concurrency.backends.borrowed_loop import BorrowedLoop
    from pytest_concurrency.backends.current_worker import CurrentWorker
    from pytest_concurrency.core.model import Outcome
    from pytest_concurrency.session.disabled import PlainConcurrency
    from pytest_concurrency.session.fixture import Concurrency

SETTINGS = pytest.StashKey[options.Settings]()
OUTCOMES = pytest.StashKey["list[Outcome]"]()
TERMINAL = pytest.StashKey[TextIO]()
RECORD = pytest.StashKey["dict[str, Any]"]()
FUNCTION = pytest.StashKey[Any]()
EXPECTATIONS = pytest.StashKey["list[Any]"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from pytest_concurrency import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if why := package_conflict.why():
        raise pytest.UsageError(why)
    for line in marker_lines():
        config.addinivalue_line("markers", line)
    try:
        settings = options.read(config)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[SETTINGS] = settings
    if (settings.save or settings.compare) and not xdist.is_worker(config) and not config.option.collectonly:
        from pytest_concurrency.core.errors import CommandError
        from pytest_concurrency.session import items

        try:
            items.check_storage(config, settings)
        except CommandError as error:
            raise pytest.UsageError(str(error)) from None
    if settings.report_files and not xdist.is_worker(config) and not config.option.collectonly:
        from pytest_concurrency.reports import files

        try:
            files.check(settings.report_files, settings.storage)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    settings = config.stash[SETTINGS]
    if not settings.disable and config.pluginmanager.has_plugin("run-parallel"):
        from pytest_concurrency.session import other_plugins

        other_plugins.run_in_one_thread(item for item in items if _measures(item))
    if not (settings.only or settings.skip):
        return
    kept = [item for item in items if _measures(item) == settings.only]
    config.hook.pytest_deselected(items=[item for item in items if _measures(item) != settings.only])
    items[:] = kept


def _measures(item: pytest.Item) -> bool:
    return any(mark.name in MARKERS for mark in item.iter_markers()) or "concurrency" in getattr(
        item, "fixturenames", ()
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    config = session.config
    settings = config.stash[SETTINGS]
    if settings.disable or config.option.collectonly or not any(map(_measures, session.items)):
        return
    from pytest_concurrency.session import host_lock_plugin, items, marked_test  # noqa: F401  # now: in the first test they would be its time

    if settings.quiet_host:
        host_lock_plugin.start(config, settings.quiet_host)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    marks = [mark for mark in item.iter_markers() if mark.name in MARKERS]
    if marks:
        from pytest_concurrency.session import items

        item.stash[EXPECTATIONS] = items.read_markers(item, marks)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    __tracebackhide__ = True
    if not (isinstance(item, pytest.Function) and item.stash.get(EXPECTATIONS, None)):
        return (yield)
    # Before pytest-asyncio puts a plain function in the place of an async def.
    item.stash[FUNCTION] = item.obj
    if not inspect.iscoroutinefunction(item.obj) or _runs_plainly(item.config):
        return (yield)
    from pytest_concurrency.session import async_plugins

    with async_plugins.lent(item, functools.partial(_run_marked, item)):
        return (yield)


def _runs_plainly(config: pytest.Config) -> bool:
    # Who wants to step through a test (--trace) wants its body, once.
    return config.stash[SETTINGS].disable or bool(config.getoption("trace", False))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    expectations = pyfuncitem.stash.get(EXPECTATIONS, None)
    __tracebackhide__ = True
    if not expectations:
        if "concurrency" not in pyfuncitem.fixturenames:
            return None
        from pytest_concurrency.session import async_plugins

        return async_plugins.run_alone(pyfuncitem)
    if inspect.iscoroutinefunction(pyfuncitem.stash[FUNCTION]):
        from pytest_concurrency.session import async_plugins

        if async_plugins.runs_elsewhere(pyfuncitem):
            return None
    if _runs_plainly(pyfuncitem.config):
        from pytest_concurrency.session import items, marked_test

        return marked_test.run_once(items.body_of(pyfuncitem, pyfuncitem.stash[FUNCTION], expectations))
    _run_marked(pyfuncitem)
    return True


def _run_marked(item: pytest.Function, borrowed_loop: BorrowedLoop | None = None) -> None:
    from pytest_concurrency.session import items, marked_test

    __tracebackhide__ = True
    expectations = item.stash[EXPECTATIONS]
    with _live_line(item.config) as progress:
        marked_test.run_marked(
            items.body_of(item, item.stash[FUNCTION], expectations),
            expectations,
            items.circumstances_of(item, item.config.stash[SETTINGS], progress, borrowed_loop),
            lambda outcome: _keep(item, outcome),
        )


def _keep(item: pytest.Item, outcome: Outcome, instead: Outcome | None = None) -> None:
    """Take an outcome; ``instead`` of one that it was before its test asked once more."""
    kept = item.stash.setdefault(OUTCOMES, [])
    at = next((index for index, one in enumerate(kept) if one is instead), len(kept))
    kept[at : at + 1] = [outcome]


def _live_line(config: pytest.Config) -> Any:
    from pytest_concurrency.session import live_line

    file = config.stash.get(TERMINAL, None)
    if file is None:
        return live_line.live(None, 0)
    writer = config.get_terminal_writer()
    return live_line.live(file, writer.fullwidth - writer.width_of_current_line)


@pytest.fixture
def concurrency(request: pytest.FixtureRequest) -> Generator[Concurrency | PlainConcurrency, None, None]:
    """Measure code in a test: speedup(), compare(), scaling(), bound(), gil_hold(), loop_block(), measure()."""
    settings = request.config.stash[SETTINGS]
    if settings.disable:
        from pytest_concurrency.session.disabled import PlainConcurrency

        yield PlainConcurrency()
        return
    from pytest_concurrency.session import items, marked_test
    from pytest_concurrency.session.fixture import Concurrency

    with _live_line(request.config) as progress:
        asked = Concurrency(
            items.circumstances_of(request.node, settings, progress),
            functools.partial(_keep, request.node),
            marked_test.follow_policy,
            functools.partial(request.node.add_report_section, "call", "concurrency"),
        )
        yield asked
        asked.close()
        for forgotten in asked.never_asked():
            items.warn_forgotten(request.node, *forgotten)
        if asked.gauge_says_nothing():
            items.warn_gauge(request.node)


@pytest.fixture(scope="session")
def concurrency_worker() -> CurrentWorker:
    """Inside a measured body, which worker this is: .index, .count, .backend; and its fresh .input."""
    from pytest_concurrency.backends.current_worker import CurrentWorker

    return CurrentWorker()


@pytest.fixture
def concurrency_tmp_path(tmp_path: pathlib.Path) -> Any:
    """A temporary folder of each worker's own: an os.PathLike; concurrency_tmp_path / "name" is a Path in it."""
    from pytest_concurrency.backends.batch import WorkerFolder

    return WorkerFolder(tmp_path)


def pytest_assertrepr_compare(config: pytest.Config, op: str, left: object, right: object) -> list[str] | None:
    # Nothing is asked of values that are not ours: any attribute of theirs may be a property that raises.
    ours = (side for side in (left, right) if type(side).__module__.startswith("pytest_concurrency.session."))
    outcome = getattr(next(ours, None), "outcome", None)
    if outcome is None:
        return None
    # pytest cuts explanations after some lines: the first paragraph says what the repr says already.
    # Of the others, what to do comes first.
    details = sorted(outcome.reason.split("\n\n")[1:], key=lambda part: not part.startswith("What to try"))
    return [f"{left!r} {op} {right!r}", *(line for part in details for line in part.splitlines())]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if EXPECTATIONS in item.stash or OUTCOMES in item.stash or RECORD in item.stash:
        from pytest_concurrency.session import captured_output, items

        report.sections = captured_output.shorten(report.sections)
        if call.excinfo is not None:
            items.show_message_only(item, call.excinfo, report)
    if call.when == "call" and (outcomes := item.stash.get(OUTCOMES, None)):
        from pytest_concurrency.runs import record
        from pytest_concurrency.session import hook_calls, host_lock_plugin, items, tracers
        from pytest_concurrency.session.controller import REPORT_ATTRIBUTE

        if report.passed:
            outcomes = [items.as_answered(outcome) for outcome in outcomes]
        value = record.record_of(item.nodeid, outcomes, tracers.tracers(), host_lock_plugin.told(item))
        items.add_profiles(item, report, value)
        update = item.config.hook.pytest_concurrency_update_record
        value, complaint = hook_calls.updated(
            "pytest_concurrency_update_record", lambda changed: update(config=item.config, record=changed), value
        )
        if complaint is not None:
            items.fail_with(report, complaint)
        setattr(report, REPORT_ATTRIBUTE, value)
        item.stash[RECORD] = value
        del item.stash[OUTCOMES]  # a plugin may run the item again
        items.add_properties(item, report, value)
        items.point_at_test(item, report)
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_json_runtest_metadata(item: pytest.Item) -> dict[str, Any]:
    """Give pytest-json-report the record."""
    from pytest_concurrency.session.controller import REPORT_ATTRIBUTE

    value = item.stash.get(RECORD, None)
    return {} if value is None else {REPORT_ATTRIBUTE: value}


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    if xdist.is_worker(config):
        return
    from pytest_concurrency.session.controller import Controller

    config.pluginmanager.register(Controller(config, config.stash[SETTINGS]), "concurrency_perf_gathering")
    if config.pluginmanager.has_plugin("terminalreporter"):
        from pytest_concurrency.session import live_line

        if (file := live_line.terminal()) is not None:
            config.stash[TERMINAL] = file
            config.add_cleanup(file.close)
