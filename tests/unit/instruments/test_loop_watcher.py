"""The thread that samples late loops: what it reads beside, and what it leaves behind."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pytest_concurrency.instruments import loop_watcher
from pytest_concurrency.instruments.loop_watcher import LoopWatcher
from pytest_concurrency.machine.clocks import CLOCKS


class Quiet:
    """A loop that is never late."""

    looks = 0

    def look(self, now: float, period: float) -> float:
        self.looks += 1
        return period


def until_it_has_looked(watched: Quiet, times: int) -> None:
    end = time.monotonic() + 60
    while watched.looks < times:
        assert time.monotonic() < end
        time.sleep(0.001)


def test_steal_of_a_long_block_counts_from_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = iter(range(1_000_000))
    monkeypatch.setattr(loop_watcher, "stolen", lambda: float(next(taken)))
    for age in ("_STEAL_AGE", "_NO_STEAL_AGE"):
        monkeypatch.setattr(loop_watcher, age, 0.0)
    watcher, watched = LoopWatcher(0.001), Quiet()
    begun = CLOCKS.wall()
    watcher.add(watched)
    try:
        until_it_has_looked(watched, 30)
        assert watcher.steal_since(begun) >= 29
    finally:
        watcher.close()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted in /proc")
def test_an_ended_watcher_leaves_no_file_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        watcher, watched = LoopWatcher(0.001), Quiet()
        watcher.add(watched)
        until_it_has_looked(watched, 2)
        watcher.close()
        watcher.discard(watched)
    end = time.monotonic() + 60
    while len(os.listdir("/proc/self/fd")) > before + 5:
        assert time.monotonic() < end, "20 watchers have left more than 5 files open"
        time.sleep(0.01)
