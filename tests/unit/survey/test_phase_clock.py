"""What a phase is read as, with scripted clocks."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_concurrency.survey import phase_clock
from pytest_concurrency.survey.values import Phase


class Machine:
    """Clocks that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, has_delay: bool = True) -> None:
        self.wall = self.cpu = self.children = 100.0
        self.delay: float | None = 100.0 if has_delay else None
        self.looks = 0
        clocks = SimpleNamespace(
            wall=lambda: self.wall, process_cpu=self._cpu, children_cpu=lambda: self.children, sleep=None
        )
        monkeypatch.setattr(phase_clock, "CLOCKS", clocks)
        monkeypatch.setattr(phase_clock, "ThreadClock", lambda: SimpleNamespace(delay=lambda: self.delay))
        self.collections: list[tuple[float, float]] = []  # when each ended, and its seconds
        self.clock = phase_clock.PhaseClock(collected=self._collected)
        self.looks = 0

    def _cpu(self) -> float:
        self.looks += 1
        return self.cpu

    def _collected(self, since: float) -> float:
        return sum(seconds for end, seconds in self.collections if end > since)

    def collect(self, seconds: float) -> float:
        self.spend(cpu=seconds)
        self.collections.append((self.wall, seconds))
        return seconds

    def spend(self, cpu: float = 0.0, blocked: float = 0.0, delay: float = 0.0, children: float = 0.0) -> float:
        wall = cpu + blocked + delay + children
        self.wall += wall
        self.cpu += cpu
        self.children += children
        if self.delay is not None:
            self.delay += delay
        return wall


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def test_phase_is_read_without_what_pytest_does_before_it(machine: Machine) -> None:
    machine.spend(cpu=0.0005)
    wall = machine.spend(cpu=0.02, blocked=0.5, delay=0.1, children=0.2)
    machine.spend(cpu=0.0001)
    assert tuple(machine.clock.phase(wall)) == pytest.approx((0.82, 0.02, 0.2, 0.1))


def test_phases_are_read_one_by_one(machine: Machine) -> None:
    for cpu, blocked in ((0.01, 0.02), (0.03, 0.0), (0.0, 0.04)):
        found = machine.clock.phase(machine.spend(cpu=cpu, blocked=blocked))
        assert (found.cpu, found.blocked) == pytest.approx((cpu, blocked), abs=1e-9)


def test_shortest_phases_count_as_computing_and_cost_no_look(machine: Machine) -> None:
    assert machine.clock.phase(machine.spend(cpu=0.00001)) == pytest.approx(Phase(0.00001, 0.00001, 0.0, 0.0))
    assert machine.looks == 0


def test_waiting_between_tests_is_in_no_phase(machine: Machine) -> None:
    machine.spend(blocked=5.0)  # for a measurement of another worker
    found = machine.clock.phase(machine.spend(cpu=0.1, blocked=0.2))
    assert (found.cpu, found.blocked) == pytest.approx((0.1, 0.2))


def test_delay_before_a_phase_makes_it_no_longer_than_it_was(machine: Machine) -> None:
    machine.spend(delay=3.0)
    found = machine.clock.phase(machine.spend(cpu=0.1, blocked=0.2))
    assert found.delay == pytest.approx(0.2)
    assert found.blocked == 0.0


def test_delay_that_cannot_be_read_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, has_delay=False)
    found = machine.clock.phase(machine.spend(cpu=0.1, blocked=0.2))
    assert found.delay is None
    assert found.blocked == pytest.approx(0.2)


def test_threads_that_compute_at_a_time_are_all_counted(machine: Machine) -> None:
    machine.wall += 1.0
    machine.cpu += 2.0
    assert machine.clock.phase(1.0).computing == pytest.approx(2.0)


def test_collections_of_the_garbage_collector_are_in_no_phase(machine: Machine) -> None:
    machine.collect(0.0003)
    machine.spend(cpu=0.0002)
    wall = machine.spend(cpu=0.001, blocked=0.01) + machine.collect(0.3)
    assert tuple(machine.clock.phase(wall)) == pytest.approx((0.011, 0.001, 0.0, 0.0))
