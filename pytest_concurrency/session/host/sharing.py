"""The plugin with which a session shares the host with others; registered only where tests measure."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from pytest_concurrency.backends.event_loops.borrowed_loop import Abandoned, BorrowedLoop
from pytest_concurrency.session.host import file_lock, host_lock

HOST = pytest.StashKey["host_lock.HostLock | str"]()  # or why there is none
LEASES = pytest.StashKey[list[host_lock.Lease]]()
TIME_LIMIT = pytest.StashKey[Any]()
# Sent by xdist's workers to their controller at the end: the seconds that their tests have waited for others.
WAITED = "concurrency_waited"

Progress = Callable[[str], None]
LiveLine = Callable[[pytest.Config], AbstractContextManager["Progress | None"]]


class HostLockPlugin:
    """A plugin that lets every test of the session share the host with tests of other sessions and workers."""

    def __init__(self, config: pytest.Config, host: host_lock.HostLock, live_line: LiveLine) -> None:
        self._config = config
        self._host = host
        self._live_line = live_line

    # Outermost, even outside of other plugins' time limits: waiting does not count as the test's own time.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        with self._live_line(self._config) as progress:
            self._host.enter(progress)
        try:
            return (yield)
        finally:
            self._host.leave()

    # pytest-timeout calls these when it begins and ends to time a test.
    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> None:
        item.stash[TIME_LIMIT] = settings

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_cancel_timer(self, item: pytest.Item) -> None:
        if TIME_LIMIT in item.stash:
            del item.stash[TIME_LIMIT]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[WAITED] = self._host.waited


def waited(config: pytest.Config) -> float:
    """Return the seconds that tests of this process have waited for other sessions and workers."""
    host = config.stash.get(HOST, None)
    return host.waited if isinstance(host, host_lock.HostLock) else 0.0


@contextlib.contextmanager
def _untimed(item: pytest.Item, borrowed_loop: BorrowedLoop | None, at_end: bool = False) -> Iterator[None]:
    """Wait without pytest-timeout's limit, which is restarted afterwards, because waiting is not this test's time.

    :param at_end: whether what is waited for has to be done in any case, even if the loop has ended.
    :raises Abandoned: the loop has ended, and the wait has not begun.
    """
    settings = item.stash.get(TIME_LIMIT, None)
    # A test on another plugin's loop is measured in a separate thread, while the main thread runs the loop. The alarm
    # of the method "signal" can be set in the main thread only.
    in_this_thread = (
        threading.current_thread() is threading.main_thread() or getattr(settings, "method", "") == "thread"
    )
    if settings is None or not (in_this_thread or (borrowed_loop is not None and borrowed_loop.in_main_thread)):
        yield
        return

    def call(change: Callable[[], object], needed: bool) -> None:
        if in_this_thread:
            change()
            return
        assert borrowed_loop is not None
        try:
            borrowed_loop.call(change)
        except Abandoned:  # so there is no time limit either
            if needed:
                raise

    # As pytest-timeout calls them: for the conftest files of all folders.
    hook = item.config.hook
    call(lambda: hook.pytest_timeout_cancel_timer(item=item), needed=not at_end)
    try:
        yield
    finally:
        call(lambda: hook.pytest_timeout_set_timer(item=item, settings=settings), needed=False)


def start(config: pytest.Config, patience: float, live_line: LiveLine) -> None:
    """Take part from now on, with at most so many seconds of waiting at a time."""
    if host_lock.VARIABLE in os.environ:
        config.stash[HOST] = "this session was started by a test of another one"
        return
    try:
        folder = file_lock.folder()
        host = host_lock.HostLock(folder, patience)
    except file_lock.Unavailable as error:
        config.stash[HOST] = str(error)
        return
    config.stash[HOST] = host
    config.pluginmanager.register(HostLockPlugin(config, host, live_line), "concurrency_perf_host_lock")
    os.environ[host_lock.VARIABLE] = str(folder)

    def stop() -> None:
        os.environ.pop(host_lock.VARIABLE, None)
        host.close()

    config.add_cleanup(stop)


def exclusive(
    item: pytest.Item, progress: Progress | None
) -> Callable[[BorrowedLoop | None], AbstractContextManager[object]]:
    """Return a function that makes the context of one measurement from the event loop of another plugin, if any."""
    host = item.config.stash.get(HOST, None)
    if host is None:
        return contextlib.nullcontext

    @contextlib.contextmanager
    def measuring(borrowed_loop: BorrowedLoop | None) -> Iterator[None]:
        leases = item.stash.setdefault(LEASES, [])
        if isinstance(host, str):
            leases.append(host_lock.Lease(False, 0.0, host))
            yield
            return
        with contextlib.ExitStack() as begun:
            with _untimed(item, borrowed_loop):
                leases.append(host.begin(progress))
                begun.callback(_end, host, item, borrowed_loop)
            yield

    return measuring


def _end(host: host_lock.HostLock, item: pytest.Item, borrowed_loop: BorrowedLoop | None) -> None:
    """End a measurement in any case: otherwise, all later tests of this process would take themselves to be alone."""
    with _untimed(item, borrowed_loop, at_end=True):
        host.end()


def record_of(item: pytest.Item) -> dict[str, Any] | None:
    """Return the part of a test's record about its leases, and forget them; None without exclusive host access."""
    leases = item.stash.get(LEASES, [])
    if not leases:
        return None
    del item.stash[LEASES]  # a plugin may run the item again
    return {
        "alone": all(lease.alone for lease in leases),
        "waited": round(sum(lease.waited for lease in leases), 6),
        "reason": next((lease.reason for lease in leases if not lease.alone), ""),
    }
