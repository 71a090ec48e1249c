"""A measurement on a test's event loop that ends while it is measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from pytest_concurrency.backends.event_loops.borrowed_loop import Abandoned
from pytest_concurrency.session.host import sharing
from pytest_concurrency.session.host.host_lock import HostLock


class EndedLoop:
    """A loop that ends in the middle of a measurement: nothing can be called in its thread any more."""

    in_main_thread = True
    calls_left = 2

    def call(self, function: Callable[[], object]) -> None:
        self.calls_left -= 1
        if self.calls_left < 0:
            raise Abandoned


@pytest.mark.parametrize("calls", [1, 2])
def test_host_is_given_back_by_a_test_whose_loop_has_ended(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    host = HostLock(tmp_path, 5.0)
    item = request.node
    settings: Any = type("Settings", (), {"method": "signal"})
    monkeypatch.setitem(item.config.stash, sharing.HOST, host)
    monkeypatch.setitem(item.stash, sharing.TIME_LIMIT, settings)
    monkeypatch.setattr(sharing.threading, "current_thread", object)  # the measuring thread, not the main one
    loop = EndedLoop()
    loop.calls_left = calls
    try:
        with pytest.raises(ZeroDivisionError), sharing.exclusive(item, None)(cast("Any", loop)):
            raise ZeroDivisionError
        assert host._nested == 0
    finally:
        host.close()
