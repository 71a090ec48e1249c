"""The hooks, and nothing else: what pytest calls, and where the work is done.

This file is imported in every pytest session, so it imports little; a session without measured
tests loads none of the machinery.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from pytest_concurrency import options, xdist
from pytest_concurrency.markers import MARKERS, marker_lines

if TYPE_CHECKING:
    from pytest_concurrency.fixture import Concurrency
    from pytest_concurrency.model import Outcome
    from pytest_concurrency.plain import PlainConcurrency

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
    if settings.report_files and not xdist.is_worker(config) and not config.option.collectonly:
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
    return any(mark.name in MARKERS for mark in item.iter_markers()) or "concurrency" in getattr(
        item, "fixturenames", ()
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    config = session.config
    settings = config.stash[SETTINGS]
    if settings.disable or not settings.quiet_host or config.option.collectonly:
        return
    if any(map(_measures, session.items)):
        from pytest_concurrency import sharing

        sharing.start(config, settings.quiet_host)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    marks = [mark for mark in item.iter_markers() if mark.name in MARKERS]
    if marks:
        from pytest_concurrency import items

        item.stash[EXPECTATIONS] = items.read_markers(item, marks)
        # Before pytest-asyncio puts a plain function in the place of an async def.
        item.stash[FUNCTION] = getattr(item, "obj", None)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    expectations = pyfuncitem.stash.get(EXPECTATIONS, None)
    if not expectations:
        return None
    from pytest_concurrency import call, items

    __tracebackhide__ = True
    settings = pyfuncitem.config.stash[SETTINGS]
    if settings.disable:
        return call.run_once(items.body_of(pyfuncitem, pyfuncitem.stash[FUNCTION]))
    with _live_line(pyfuncitem.config) as progress:
        call.run_marked(
            items.body_of(pyfuncitem, pyfuncitem.stash[FUNCTION]),
            expectations,
            items.circumstances_of(pyfuncitem, settings, progress),
            lambda outcome: _keep(pyfuncitem, outcome),
        )
    return True


def _keep(item: pytest.Item, outcome: Outcome) -> None:
    item.stash.setdefault(OUTCOMES, []).append(outcome)


def _live_line(config: pytest.Config) -> Any:
    from pytest_concurrency import progress

    file = config.stash.get(TERMINAL, None)
    if file is None:
        return progress.live(None, 0)
    writer = config.get_terminal_writer()
    return progress.live(file, writer.fullwidth - writer.width_of_current_line)


@pytest.fixture
def concurrency(request: pytest.FixtureRequest) -> Generator[Concurrency | PlainConcurrency, None, None]:
    """Measure code in a test: speedup(), compare(), bound(), measure(), in_flight()."""
    settings = request.config.stash[SETTINGS]
    if settings.disable:
        from pytest_concurrency.plain import PlainConcurrency

        yield PlainConcurrency()
        return
    from pytest_concurrency import call, items
    from pytest_concurrency.fixture import Concurrency

    with _live_line(request.config) as progress:
        yield Concurrency(
            items.circumstances_of(request.node, settings, progress),
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
    measured = EXPECTATIONS in item.stash or OUTCOMES in item.stash
    if measured and call.excinfo is not None:
        from pytest_concurrency import items

        items.show_message_only(item, call.excinfo, report)
    if call.when == "call" and (outcomes := item.stash.get(OUTCOMES, None)):
        from pytest_concurrency import items, record, sharing
        from pytest_concurrency.gathering import REPORT_ATTRIBUTE

        value = record.record_of(item.nodeid, outcomes, sharing.told(item))
        item.config.hook.pytest_concurrency_update_record(config=item.config, record=value)
        setattr(report, REPORT_ATTRIBUTE, value)
        item.stash[RECORD] = value
        del item.stash[OUTCOMES]  # a plugin may run the item again
        items.add_properties(item, report, value)
        items.point_at_test(item, report)
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_json_runtest_metadata(item: pytest.Item) -> dict[str, Any]:
    """Give pytest-json-report the record."""
    from pytest_concurrency.gathering import REPORT_ATTRIBUTE

    value = item.stash.get(RECORD, None)
    return {} if value is None else {REPORT_ATTRIBUTE: value}


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    if xdist.is_worker(config):
        return
    from pytest_concurrency.gathering import Gathering

    config.pluginmanager.register(Gathering(config, config.stash[SETTINGS]), "concurrency_perf_gathering")
    if config.pluginmanager.has_plugin("terminalreporter"):
        from pytest_concurrency import progress

        if (file := progress.terminal()) is not None:
            config.stash[TERMINAL] = file
            config.add_cleanup(file.close)
