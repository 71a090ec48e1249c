"""A beat on an event loop that does nothing, beside a machine that is busy."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from pytest_concurrency.probes.loop_heartbeat import LoopHeartbeat


class Loop:
    """Timers that never fire, each its own handle."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Loop:
        return self

    def cancel(self) -> None: ...


def test_starting_the_watcher_is_no_block_of_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thread.start() waits until the new thread has had a CPU, which is no run delay of the loop's own thread."""
    original = threading.Thread.start

    def slow_start(thread: threading.Thread) -> None:
        time.sleep(0.2)
        original(thread)

    monkeypatch.setattr(threading.Thread, "start", slow_start)
    with LoopHeartbeat(Loop()) as beat:
        pass
    assert beat.result().longest.low < 0.1
