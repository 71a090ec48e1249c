from __future__ import annotations

from pathlib import Path

import pytest

from pytest_concurrency.machine import topology


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    """An empty ``/sys/devices``."""
    return tmp_path


def put(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)


def allow(monkeypatch: pytest.MonkeyPatch, *cpus: int) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda who: set(cpus), raising=False)


@pytest.mark.parametrize("name", ["core_cpus_list", "thread_siblings_list"])
@pytest.mark.parametrize(
    ("allowed", "lists", "cores"),
    [
        ((0, 1, 2, 3), ("0,2", "1,3", "0,2", "1,3"), 2),
        ((0, 1, 2, 3), ("0-1", "0-1", "2-3", "2-3"), 2),
        ((0, 1, 2, 3), ("0", "1", "2", "3"), 4),
        ((1, 3), ("0,2", "1,3", "0,2", "1,3"), 1),
        ((0, 1), ("0,2", "1,3", "0,2", "1,3"), 2),
        ((0, 5), ("0",), None),
        ((0,), ("nonsense",), None),
    ],
    ids=["numbered apart", "side by side", "no SMT", "one core allowed", "one thread of each", "not told", "damaged"],
)
def test_cores_of_the_allowed_cpus(
    devices: Path,
    name: str,
    allowed: tuple[int, ...],
    lists: tuple[str, ...],
    cores: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    allow(monkeypatch, *allowed)
    for cpu, content in enumerate(lists):
        put(devices / "system" / "cpu" / f"cpu{cpu}" / "topology" / name, content + "\n")
    assert topology.cores(devices) == cores


def test_without_affinity_psutil_knows_the_cores(devices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("psutil.cpu_count", lambda logical: 6 if not logical else 12)
    assert topology.allowed() is None
    assert topology.cores(devices) == 6
    monkeypatch.setitem(__import__("sys").modules, "psutil", None)
    assert topology.cores(devices) is None


@pytest.mark.parametrize(
    ("allowed", "kinds"),
    [
        (range(12), {"performance": 4, "efficiency": 8}),
        (range(2, 6), {"performance": 2, "efficiency": 2}),
        (range(4), {}),
    ],
)
def test_hybrid_processors(
    devices: Path, allowed: range, kinds: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(monkeypatch, *allowed)
    put(devices / "cpu_core" / "cpus", "0-3\n")
    put(devices / "cpu_atom" / "cpus", "4-11\n")
    assert topology.kinds(devices) == kinds


@pytest.mark.parametrize(
    ("capacities", "kinds"),
    [
        ((446, 446, 1024, 1024), {"performance": 2, "efficiency": 2}),
        ((300, 300, 800, 1024), {"performance": 1, "efficiency": 3}),
        ((1024, 1024, 1024, 1024), {}),
        ((1024, None, 446, 446), {}),
        ((None, None, None, None), {}),
    ],
    ids=["big and little", "three kinds", "all alike", "not all told", "not told"],
)
def test_capacities(
    devices: Path, capacities: tuple[int | None, ...], kinds: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(monkeypatch, 0, 1, 2, 3)
    for cpu, capacity in enumerate(capacities):
        if capacity is not None:
            put(devices / "system" / "cpu" / f"cpu{cpu}" / "cpu_capacity", f"{capacity}\n")
    assert topology.kinds(devices) == kinds


def test_missing_topology_is_no_error(devices: Path) -> None:
    assert topology.kinds(devices) == {}
