"""How a session takes part in the quiet host; started only if the session has tests that measure."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from pytest_concurrency.session import host_lock

HOST = pytest.StashKey["host_lock.HostLock | str"]()  # or why there is none
STAYS = pytest.StashKey[list[host_lock.Lease]]()
TIME_LIMIT = pytest.StashKey[Any]()


class HostLockPlugin:
    """A plugin: every test of the session shares the host with other sessions' and workers' tests."""

    def __init__(self, host: host_lock.HostLock) -> None:
        self._host = host

    # Around everything, other plugins' time limits too: waiting is not the test's own time.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        self._host.enter()
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


@contextlib.contextmanager
def _untimed(item: pytest.Item) -> Iterator[None]:
    """Wait without pytest-timeout's limit, which is started anew afterwards: others' tests are not this test's time."""
    settings = item.stash.get(TIME_LIMIT, None)
    # Its alarm can be set in the main thread only.
    if settings is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    item.config.hook.pytest_timeout_cancel_timer(item=item)
    try:
        yield
    finally:
        item.config.hook.pytest_timeout_set_timer(item=item, settings=settings)


def start(config: pytest.Config, patience: float) -> None:
    """Take part from now on, with at most so many seconds of waiting at a time."""
    if host_lock.VARIABLE in os.environ:
        config.stash[HOST] = "this session was started by a test of another one"
        return
    try:
        folder = host_lock.folder()
        host = host_lock.HostLock(folder, patience)
    except host_lock.Unavailable as error:
        config.stash[HOST] = str(error)
        return
    config.stash[HOST] = host
    config.pluginmanager.register(HostLockPlugin(host), "concurrency_perf_sharing")
    os.environ[host_lock.VARIABLE] = str(folder)

    def stop() -> None:
        os.environ.pop(host_lock.VARIABLE, None)
        host.close()

    config.add_cleanup(stop)


def alone(item: pytest.Item, progress: Callable[[str], None] | None) -> Callable[[], AbstractContextManager[None]]:
    """Return what a measurement of a test goes on in."""
    host = item.config.stash.get(HOST, None)
    if host is None:
        return contextlib.nullcontext

    @contextlib.contextmanager
    def measuring() -> Iterator[None]:
        stays = item.stash.setdefault(STAYS, [])
        if isinstance(host, str):
            stays.append(host_lock.Lease(False, 0.0, host))
            yield
            return
        with _untimed(item):
            stays.append(host.begin(progress))
        try:
            yield
        finally:
            with _untimed(item):
                host.end()

    return measuring


def told(item: pytest.Item) -> dict[str, Any] | None:
    """Return what a test's record says of its stays, and forget them; None if no quiet host was looked for."""
    stays = item.stash.get(STAYS, [])
    if not stays:
        return None
    del item.stash[STAYS]  # a plugin may run the item again
    return {
        "alone": all(stay.alone for stay in stays),
        "waited": round(sum(stay.waited for stay in stays), 6),
        "reason": next((stay.reason for stay in stays if not stay.alone), ""),
    }
