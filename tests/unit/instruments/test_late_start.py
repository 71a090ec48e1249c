"""Loops that are followed from their start, and get a monitor only if they last."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import closing
from unittest.mock import Mock

from pytest_concurrency.instruments.late_start import LateStart
from pytest_concurrency.instruments.loop_monitor import LoopMonitor, pause
from pytest_concurrency.instruments.loop_watcher import LoopWatcher


def test_loop_within_a_loop_leaves_the_outer_one_followed() -> None:
    late = LateStart(Mock(), Mock())
    with closing(asyncio.new_event_loop()) as outer, closing(asyncio.new_event_loop()) as inner:
        with late.running(outer):
            with late.running(inner):
                pass
            assert late.covers(threading.get_ident())
        assert not late.covers(threading.get_ident())


def test_pause_in_the_first_milliseconds_of_a_loop_counts() -> None:
    """The monitor is made while the loop is in the pause, by another thread, and starts after it."""
    watcher = LoopWatcher(0.005)
    monitors: list[LoopMonitor] = []

    def make() -> LoopMonitor:
        monitors.append(LoopMonitor(0.05, 0.01, watcher))
        return monitors[-1]

    late = LateStart(watcher, make)

    async def paused() -> None:
        with pause():
            while not monitors or not monitors[0]._is_prepared:
                time.sleep(0.005)
            time.sleep(0.1)
        await asyncio.sleep(0.01)

    with closing(asyncio.new_event_loop()) as loop, late.running(loop):
        loop.run_until_complete(paused())
    watcher.close()
    assert len(monitors) == 1
    assert monitors[0].blocks == []
