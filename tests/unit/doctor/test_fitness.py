"""From what was read of a machine to a plain answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_concurrency.core.model import Interference
from pytest_concurrency.core.outcomes import Estimate
from pytest_concurrency.doctor import fitness
from pytest_concurrency.doctor.fitness import Checkup, Ruling
from pytest_concurrency.machine.priority import Priority

GOOD = Checkup(
    usable=2.0,
    cpus=(("logical", "4"), ("affinity", "2"), ("quota", "none")),
    python="CPython 3.11.7 with the GIL",
    gil=True,
    switch_interval=0.005,
    clocks={"wall": 1e-7, "CPU of a thread": 1e-6},
    readings={"run delay": None, "foreign load": None, "steal": None, "switches": None},
    seconds=3.0,
    interference=Interference(0.02, 0.0, None),
    worst=Interference(0.1, 0.0, None),
    same=Estimate(1.0, 0.98, 1.02),
    control={"threads": Estimate(1.9, 1.8, 1.95), "processes": Estimate(1.95, 1.9, 2.0)},
    workers=2,
    notes={"processes": "start method fork"},
    start_methods=("fork", "spawn"),
    waiting=Ruling("met", 0.12),
    computing=Ruling("met", 0.2),
    priority=Priority("realtime"),
    throttling=0.95,
)


def other(**changes: Any) -> Checkup:
    return replace(GOOD, **changes)


def figure(value: float) -> Estimate:
    return Estimate(value, value * 0.95, value * 1.05)


def test_a_good_machine() -> None:
    assert fitness.fit(GOOD, 1)
    said = fitness.answer(GOOD, 1)
    assert said.startswith("Fit: gates on waiting with any number of workers, on computing up to 2 CPUs.")
    assert "120 ms to 200 ms per verdict" in said
    assert {line.mark for line in fitness.lines(GOOD)} == {"ok"}


@pytest.mark.parametrize(
    ("changes", "marked"),
    [
        ({"same": figure(1.4)}, "A/A trial"),
        ({"same": None}, "A/A trial"),
        ({"waiting": Ruling("undecided", 10.0, "busy")}, "waiting gate"),
        ({"computing": Ruling("unmeasurable", 1.0, "too few CPUs")}, "computing gate"),
    ],
)
def test_what_makes_it_unfit_is_named(changes: dict[str, Any], marked: str) -> None:
    checkup = other(**changes)
    assert not fitness.fit(checkup, 1)
    assert fitness.answer(checkup, 1).startswith(f"Not fit at this moment: see {marked} above.")
    assert [line.label for line in fitness.lines(checkup) if line.mark == "bad"] == [marked]


def test_cpus_that_are_there_but_not_delivered_make_it_unfit() -> None:
    checkup = other(control={"threads": figure(1.1), "processes": figure(1.2)}, interference=Interference(1.4, 0, None))
    assert not fitness.fit(checkup, 1)
    said = fitness.answer(checkup, 1)
    assert "got 1 CPU, though 2 are usable" in said
    assert "Other programs keep the machine busy" in said


@pytest.mark.parametrize(
    ("figures", "usable", "workers", "delivered"),
    [
        ({"threads": figure(1.0), "processes": figure(1.9)}, 2.0, 2, 2),
        ({"threads": figure(3.1), "processes": figure(2.0)}, 4.0, 4, 4),
        ({"threads": figure(2.4)}, 4.0, 4, 3),  # two CPUs to a core
        ({"threads": figure(1.2)}, 4.0, 4, 1),
        ({"threads": "it could not be started"}, 4.0, 4, 1),
        ({"threads": figure(1.0)}, 1.0, 2, 1),
        ({"threads": figure(1.45)}, 1.5, 2, 1),
    ],
)
def test_how_wide_a_gate_holds(figures: dict[str, Any], usable: float, workers: int, delivered: int) -> None:
    assert fitness.delivered(other(control=figures, usable=usable, workers=workers)) == delivered


def test_one_cpu_is_fit_for_waiting_only() -> None:
    checkup = other(usable=1.0, control={"threads": figure(1.0)}, computing=None)
    assert fitness.fit(checkup, 1)
    assert "not on computing in parallel" in fitness.answer(checkup, 1)
    assert not fitness.fit(checkup, 2)
    assert "2 CPUs wanted" in fitness.answer(checkup, 2)


def test_a_missing_reading_says_what_it_costs() -> None:
    checkup = other(readings={**GOOD.readings, "run delay": "run delay needs Linux"})
    line = next(line for line in fitness.lines(checkup) if line.label == "run delay")
    assert line.mark == "note"
    assert "run delay needs Linux. Without it: " in line.text
    assert "stay undecided" in line.text
    assert fitness.fit(checkup, 1)


@pytest.mark.parametrize(
    ("changes", "label", "part"),
    [
        ({"switch_interval": 1e-6}, "Python", "switch interval 1 us instead of 5 ms"),
        ({"clocks": {"wall": 1e-7, "CPU of a thread": 0.0156}}, "clocks tick", "too coarse"),
        ({"interference": Interference(0.7, 0.3, 0.1)}, "interference", "the hypervisor takes 0.30; the quota"),
        ({"interference": Interference()}, "interference", "not readable here"),
        ({"same": Estimate(1.1, 1.05, 1.15)}, "A/A trial", "1.10x"),
        ({"same": Estimate(1.3, 0.5, 3.4)}, "A/A trial", "the machine is busy"),
        ({"control": {"threads": figure(1.2), "processes": figure(1.9)}}, "2 threads", "1.20x"),
    ],
)
def test_what_is_odd_is_a_note(changes: dict[str, Any], label: str, part: str) -> None:
    line = next(line for line in fitness.lines(other(**changes)) if line.label == label)
    assert line.mark == "note"
    assert part in line.text


@pytest.mark.parametrize(
    ("found", "mark", "said"),
    [
        (Priority("realtime"), "ok", "real-time priority; the kernel leaves ordinary threads 5%"),
        (Priority("nice", -10, "no real-time priority: no right"), "note", "nice -10: no real-time priority: no right"),
        (Priority(why="no right"), "note", "ordinary priority: no right. On a busy machine"),
        (Priority(why="no right"), "note", "sudo prlimit --rtprio=1 --nice=40 --pid $$"),
    ],
)
def test_it_says_at_which_priority_tests_are_measured_and_how_to_raise_it(
    monkeypatch: pytest.MonkeyPatch, found: Priority, mark: str, said: str
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    line = next(line for line in fitness.lines(other(priority=found)) if line.label == "priority")
    assert line.mark == mark
    assert said in line.text


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_it_offers_no_command_of_linux_elsewhere(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr("sys.platform", platform)
    line = next(line for line in fitness.lines(other(priority=Priority(why="no right"))) if line.label == "priority")
    assert "prlimit" not in line.text
