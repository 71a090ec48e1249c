"""The hooks of every session: options, markers, fixtures, and the decision whether anything is measured.

This file is imported in every pytest session, so it imports little. The hooks that run for each test are in
session/measured_tests.py, which is loaded and registered only when there are tests that measure.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

import pytest_concurrency
from pytest_concurrency.expectations import marker_lines
from pytest_concurrency.session import options

if TYPE_CHECKING:
    import pathlib

    from pytest_concurrency.backends.current_worker import CurrentWorker
    from pytest_concurrency.session.disabled import PlainConcurrency
    from pytest_concurrency.session.fixture import Concurrency
    from pytest_concurrency.session.measured_tests import MeasuredTests

SETTINGS = pytest.StashKey[options.Settings]()


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from pytest_concurrency import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(pytest_concurrency, "__distribution__"):  # another distribution's __init__.py has overwritten ours
        from pytest_concurrency.core import package_conflict

        raise pytest.UsageError(package_conflict.why())
    for line in (*marker_lines(), options.ALLOW_BLOCKING):
        config.addinivalue_line("markers", line)
    try:
        settings = options.read(config)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[SETTINGS] = settings
    if settings.max_block and not config.option.collectonly:
        from pytest_concurrency.session.loops import loop_guard

        loop_guard.start(config, settings)
    if (settings.save or settings.compare or settings.report_files) and not config.option.collectonly:
        from pytest_concurrency.session import xdist

        if not xdist.is_worker(config):
            _check_files(config, settings)


def _check_files(config: pytest.Config, settings: options.Settings) -> None:
    """Stop before the first test where what this session is to write or compare with cannot be."""
    if settings.save or settings.compare:
        from pytest_concurrency.core.errors import CommandError
        from pytest_concurrency.session import baselines

        try:
            baselines.check_storage(config, settings)
        except CommandError as error:
            raise pytest.UsageError(str(error)) from None
    if settings.report_files:
        from pytest_concurrency.reports import files

        try:
            files.check(settings.report_files, settings.storage)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    from pytest_concurrency.session import selection

    settings = config.stash[SETTINGS]
    if not settings.disable and config.pluginmanager.has_plugin("run-parallel"):
        from pytest_concurrency.session import other_plugins

        other_plugins.run_in_one_thread(selection.measured(items))
    if not (settings.only or settings.skip):
        return
    measured = set(selection.measured(items))
    kept = [item for item in items if (item in measured) == settings.only]
    config.hook.pytest_deselected(items=[item for item in items if (item in measured) != settings.only])
    items[:] = kept


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    from pytest_concurrency.session import selection

    if next(selection.measured(session.items), None) is not None:
        _measured_tests(session.config)


def _measured_tests(config: pytest.Config) -> MeasuredTests:
    """Return the plugin with the hooks that run for each test, from now on registered."""
    from pytest_concurrency.session import measured_tests

    return measured_tests.start(config, config.stash[SETTINGS])


@pytest.fixture
def concurrency(request: pytest.FixtureRequest) -> Generator[Concurrency | PlainConcurrency, None, None]:
    """Measure code in a test: speedup(), compare(), scaling(), bound(), gil_hold(), loop_block(), in_flight()."""
    # A test that uses request.getfixturevalue() is not known at the end of the collection.
    with _measured_tests(request.config).fixture_of(request.node) as value:
        yield value


@pytest.fixture(scope="session")
def concurrency_worker() -> CurrentWorker:
    """Inside a measured body, the worker that runs it: .index, .count, .backend; and its new .input."""
    from pytest_concurrency.backends.current_worker import CurrentWorker

    return CurrentWorker()


@pytest.fixture
def concurrency_tmp_path(tmp_path: pathlib.Path) -> Any:
    """A temporary folder for each worker: an os.PathLike; concurrency_tmp_path / "name" is a Path in it."""
    from pytest_concurrency.backends.batch import WorkerFolder

    return WorkerFolder(tmp_path)


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    settings = config.stash[SETTINGS]
    if settings.survey and not config.option.collectonly:
        from pytest_concurrency.session import survey

        survey.start(config, settings)
    from pytest_concurrency.session import xdist

    if not xdist.is_worker(config):
        from pytest_concurrency.session.controller import Controller

        config.pluginmanager.register(Controller(config, settings), Controller.NAME)
