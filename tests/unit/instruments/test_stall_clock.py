"""The stalls of a thread, with scripted clocks."""

from __future__ import annotations

import pytest

from pytest_concurrency.instruments import stall_clock
from pytest_concurrency.instruments.stall_clock import StallClock
from pytest_concurrency.machine.clocks import CLOCKS


class Machine:
    """A wall clock on which a sleep takes ``stalled`` and ``queued`` seconds more than it should."""

    def __init__(self) -> None:
        self.now = 0.0
        self.delayed: float | None = 0.0
        self.stalled = self.queued = 0.0
        self.is_closed = False

    def wall(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds + self.stalled + self.queued
        if self.delayed is not None:
            self.delayed += self.queued

    def delay(self) -> float | None:
        return self.delayed

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(CLOCKS, "wall", machine.wall)
    monkeypatch.setattr(CLOCKS, "sleep", machine.sleep)
    monkeypatch.setattr(stall_clock, "ThreadClock", lambda: machine)
    return machine


@pytest.fixture
def clock(machine: Machine) -> StallClock:
    clock = StallClock()
    clock.woke(clock.sleep(0.01))
    return clock


@pytest.mark.parametrize(("stalled", "queued", "found"), [(0, 0, 0), (0.3, 0, 0.3), (0, 0.3, 0), (0.3, 0.1, 0.3)])
def test_time_in_the_run_queue_is_no_stall(
    machine: Machine, clock: StallClock, stalled: float, queued: float, found: float
) -> None:
    machine.stalled, machine.queued = stalled, queued
    begun = machine.now
    clock.woke(clock.sleep(0.01))
    assert clock.since(begun) == pytest.approx(found)
    assert clock.since(machine.now) == 0


def test_only_the_part_of_a_stall_after_the_given_time_counts(machine: Machine, clock: StallClock) -> None:
    machine.stalled = 0.3
    clock.woke(clock.sleep(0.01))
    assert clock.since(machine.now - 0.1) == pytest.approx(0.1)


def test_a_sleep_that_should_have_ended_is_a_stall(
    machine: Machine, clock: StallClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []

    def sleep(seconds: float) -> None:
        machine.now += 0.05
        found.append(clock.since(0.0))

    monkeypatch.setattr(CLOCKS, "sleep", sleep)
    clock.sleep(0.01)
    assert found == [pytest.approx(0.04)]


def test_without_run_queue_delay_nothing_is_called_a_stall(machine: Machine, clock: StallClock) -> None:
    machine.delayed, machine.stalled = None, 0.3
    clock.woke(clock.sleep(0.01))
    assert clock.since(0.0) == 0


def test_many_stalls_in_one_block_all_count(machine: Machine, clock: StallClock) -> None:
    machine.stalled = 0.01
    for _ in range(40):
        clock.woke(clock.sleep(0.01))
    assert clock.since(0.0) == pytest.approx(0.4)


def test_close_closes_what_it_read(machine: Machine, clock: StallClock) -> None:
    clock.close()
    assert machine.is_closed
