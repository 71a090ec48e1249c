"""The readings of :class:`LoopMonitor`, with scripted clocks."""

from __future__ import annotations

import selectors
import sys
import threading
import types
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_concurrency.instruments.collector_clock import COLLECTOR_CLOCK
from pytest_concurrency.instruments.loop_monitor import LoopMonitor
from pytest_concurrency.machine import stack_locations
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes import thread_clock

LIMIT = 0.05


class Machine:
    """A wall clock, and a thread that loses its CPU for a second right after a reading of its run-queue delay."""

    def __init__(self) -> None:
        self.now = 0.0
        self.delayed = 0.0
        self.is_busy = False

    def wall(self) -> float:
        self.now += 1e-6
        return self.now

    def delay(self) -> float:
        read = self.delayed
        if self.is_busy:
            self.now += 1.0
            self.delayed += 1.0
            self.is_busy = False
        return read

    def close(self) -> None: ...


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(CLOCKS, "wall", machine.wall)
    monkeypatch.setattr(CLOCKS, "thread_cpu", lambda: 0.0)
    monkeypatch.setattr(CLOCKS, "process_cpu", lambda: 0.0)
    monkeypatch.setattr(thread_clock, "ThreadClock", lambda: machine)
    # Collections of earlier tests are at times of the real clock, which are all later than those of this one.
    monkeypatch.setattr(COLLECTOR_CLOCK, "called", lambda *_: (0.0, ()))
    return machine


@pytest.fixture
def monitor(machine: Machine) -> Iterator[LoopMonitor]:
    watcher: Any = types.SimpleNamespace(
        cpu=0.0,
        add=lambda _: None,
        discard=lambda _: None,
        steal_since=lambda _: 0.0,
        stalls=types.SimpleNamespace(since=lambda _: 0.0),
    )
    timer = types.SimpleNamespace(cancel=lambda: None)
    loop: Any = types.SimpleNamespace(call_later=lambda *_: timer)
    monitor = LoopMonitor(LIMIT, 0.01, watcher).start(loop)
    yield monitor
    monitor.stop()  # a monitor that is left would keep this thread's loops from being watched in later tests


def test_a_lost_cpu_between_two_readings_is_no_block(machine: Machine, monitor: LoopMonitor) -> None:
    machine.is_busy = True
    monitor.beat(0.0)
    monitor.beat(0.0)
    assert monitor.blocks == []


def test_a_wait_without_run_queue_delay_is_a_block(machine: Machine, monitor: LoopMonitor) -> None:
    machine.now += 1.0
    monitor.beat(0.0)
    assert [round(block.high) for block in monitor.blocks] == [1]


def test_a_wait_is_no_block(machine: Machine, monitor: LoopMonitor) -> None:
    for _ in range(3):
        monitor.waits()
        machine.now += 1.0
        monitor.resumes()
    assert monitor.blocks == []


def test_what_runs_between_two_waits_is_a_block(machine: Machine, monitor: LoopMonitor) -> None:
    monitor.waits()
    machine.now += 10.0
    monitor.resumes()
    machine.now += 1.0
    monitor.waits()
    (block,) = monitor.blocks
    assert 0.99 < block.low <= block.high < 1.01


def test_many_short_gaps_are_no_block(machine: Machine, monitor: LoopMonitor) -> None:
    for _ in range(1000):
        machine.now += LIMIT / 2
        monitor.waits()
        monitor.resumes()
    assert monitor.blocks == []


def test_a_gap_has_no_more_than_what_was_read_since_it_began(machine: Machine, monitor: LoopMonitor) -> None:
    monitor.waits()
    machine.now += 0.001  # so short that the readings before it are taken
    monitor.resumes()
    machine.now += LIMIT + 0.0005
    monitor.waits()
    assert all(block.low < LIMIT for block in monitor.blocks)


def test_a_loop_that_wakes_up_late_is_not_surely_blocked(machine: Machine, monitor: LoopMonitor) -> None:
    monitor.waits()
    due = machine.now + 5.0
    machine.now += 6.0
    monitor.resumes(due)
    (block,) = monitor.blocks
    assert block.low == 0.0
    assert 0.99 < block.high < 1.01


def test_a_loop_that_was_seen_to_wait_was_not_surely_blocked(
    machine: Machine, monitor: LoopMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code may replace what tells of the loop's waits."""
    poll = (selectors.__file__, 1, "select")
    monkeypatch.setattr(stack_locations, "of_thread", lambda _: (poll, (__file__, 1, "test")))
    machine.now += 1.0
    for _ in range(3):
        monitor.look(machine.now, 0.01)
    monitor.waits()
    (block,) = monitor.blocks
    assert (block.low, block.where) == (0.0, None)


def test_a_frame_that_is_gone_does_not_end_the_watcher(monitor: LoopMonitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "_current_frames", lambda: {threading.get_ident(): print})
    assert monitor.look(1.0, 0.01) == 0.01
