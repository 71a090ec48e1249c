from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_concurrency.machine import cpus
from pytest_concurrency.probes import interference

_forget = cpus.cgroup_folder.cache_clear  # the tests may put something else in its place


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    _forget()
    yield
    _forget()


def group(folder: Path, **files: str) -> Path:
    """A control group's folder; every one has cpu.stat."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {"cpu_stat": "", **files}.items():
        (folder / name.replace("cpu_", "cpu.", 1)).write_text(content)
    return folder


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu_max": "150000 100000\n"}, 1.5),
        ({"cpu_max": "max 100000\n"}, None),
        ({"cpu_max": "nonsense\n"}, None),
        ({"cpu_cfs_quota_us": "50000\n", "cpu_cfs_period_us": "100000\n"}, 0.5),
        ({"cpu_cfs_quota_us": "-1\n", "cpu_cfs_period_us": "100000\n"}, None),
        ({"cpu_cfs_quota_us": "50000\n"}, None),
        ({}, None),
    ],
    ids=["v2", "v2 without", "v2 damaged", "v1", "v1 without", "v1 damaged", "neither"],
)
def test_quotas_of_both_versions(
    files: dict[str, str], quota: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = group(tmp_path / "group", **files)
    monkeypatch.setattr(cpus, "cgroup_folder", lambda: folder)
    assert cpus.cpu_quota() == quota


def test_the_tightest_of_all_parents_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group(tmp_path / "top", cpu_max="400000 100000")
    group(tmp_path / "top" / "pod", cpu_max="120000 100000")
    folder = group(tmp_path / "top" / "pod" / "box", cpu_max="max 100000")
    monkeypatch.setattr(cpus, "cgroup_folder", lambda: folder)
    assert cpus.cpu_quota() == 1.2


def test_what_a_parents_quota_withholds_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for below, usec in (("pod", 3_000_000), ("pod/box", 500_000)):
        (tmp_path / below).mkdir()
        (tmp_path / below / "cpu.stat").write_text(f"usage_usec 7\nthrottled_usec {usec}\n")
    monkeypatch.setattr(cpus, "cgroup_folder", lambda: tmp_path / "pod" / "box")
    interference._throttle_files.cache_clear()
    assert interference._throttled() == 3.5
    interference._throttle_files.cache_clear()


def test_no_control_group_has_no_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpus, "cgroup_folder", lambda: None)
    assert cpus.cpu_quota() is None


MOUNT = "30 23 0:26 {root} {mount} rw,nosuid shared:9 - {kind} cgroup rw,{options}\n"


@pytest.mark.parametrize(
    ("own", "kind", "root", "options", "below"),
    [
        ("0::/user/session\n", "cgroup2", "/", "nsdelegate", "user/session"),
        ("0::/\n", "cgroup2", "/", "nsdelegate", ""),
        ("0::/docker/abc/work\n", "cgroup2", "/docker/abc", "nsdelegate", "work"),
        ("4:cpu,cpuacct:/box\n1:name=systemd:/elsewhere\n0::/ignored\n", "cgroup", "/", "cpu,cpuacct", "box"),
    ],
    ids=["v2", "v2 root", "v2 in a container", "v1"],
)
def test_the_control_group_is_found_through_proc(
    own: str, kind: str, root: str, options: str, below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mount = tmp_path / "cgroup"
    folder = mount / below
    folder.mkdir(parents=True)
    answers = {
        "/proc/self/cgroup": own,
        "/proc/self/mountinfo": "22 1 8:1 / / rw - ext4 /dev/sda rw\n"
        + MOUNT.format(root=root, mount=mount, kind=kind, options=options),
    }
    real = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda self, *args, **more: answers.get(str(self)) or real(self, *args, **more)
    )
    assert cpus.cgroup_folder() == folder.resolve()


def test_without_proc_there_is_no_control_group(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, encoding: str = "", errors: str = "") -> str:
        raise FileNotFoundError(self)

    monkeypatch.setattr(Path, "read_text", fail)
    assert cpus.cgroup_folder() is None


@pytest.mark.parametrize(
    ("allowed", "quota", "usable", "auto"),
    [(4, None, 4.0, 4), (4, 1.5, 1.5, 2), (2, 8.0, 2.0, 2), (4, 0.5, 0.5, 1), (1, 0.001, 0.01, 1)],
)
def test_usable_cpus_are_affinity_and_quota(
    allowed: int, quota: float | None, usable: float, auto: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpus, "_allowed_cpus", lambda: allowed)
    monkeypatch.setattr(cpus, "cpu_quota", lambda: quota)
    assert cpus.usable_cpus() == usable
    assert cpus.auto_workers() == auto
    assert ("(a quota)" in cpus.describe()) is (usable < allowed)


@pytest.mark.parametrize(("told", "usable"), [(3, 3.0), (4, 4.0), (64, 4.0)])
def test_python_cpu_count_makes_cpus_fewer_and_never_more(
    told: int, usable: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PYTHON_CPU_COUNT and -X cpu_count change what os.process_cpu_count() says, from 3.13 on."""
    monkeypatch.setattr("os.sched_getaffinity", lambda who: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr("os.process_cpu_count", lambda: told, raising=False)
    monkeypatch.setattr(cpus, "cpu_quota", lambda: None)
    assert cpus.usable_cpus() == usable
    assert cpus.environment()["python_cpu_count"] == (None if told == 4 else told)
    assert ("(PYTHON_CPU_COUNT)" in cpus.describe()) is (told == 3)


@pytest.mark.parametrize(
    ("logical", "affinity", "quota", "cores", "kinds", "said"),
    [
        (8, 8, None, 8, {}, "8 usable CPUs, "),
        (8, 8, None, None, {}, "8 usable CPUs, "),
        (8, 2, None, 2, {}, "2 usable CPUs of 8 (affinity), "),
        (8, 8, 1.5, 4, {}, "1.5 usable CPUs (a quota), "),
        (8, 8, None, 4, {}, "8 usable CPUs on 4 cores, "),
        (2, 2, None, 1, {}, "2 usable CPUs on 1 core, "),
        (8, 8, None, 8, {"performance": 2, "efficiency": 6}, "8 usable CPUs (2 performance, 6 efficiency), "),
        (1, 1, None, 1, {}, "1 usable CPU, "),
    ],
)
def test_the_header_states_what_was_found(
    logical: int,
    affinity: int,
    quota: float | None,
    cores: int | None,
    kinds: dict[str, int],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: logical)
    monkeypatch.delattr("os.process_cpu_count", raising=False)
    monkeypatch.setattr(cpus.topology, "allowed", lambda: set(range(affinity)))
    monkeypatch.setattr(cpus.topology, "cores", lambda: cores)
    monkeypatch.setattr(cpus.topology, "kinds", lambda: kinds)
    monkeypatch.setattr(cpus, "cpu_quota", lambda: quota)
    assert cpus.describe().startswith(said)
    found = cpus.environment()
    assert (found["cpus_logical"], found["cpus_allowed"], found["cpu_quota"]) == (logical, affinity, quota)
    assert (found["cores"], found["core_kinds"]) == (cores, kinds)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_gil_is_asked_for_at_the_moment(enabled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys._is_gil_enabled", lambda: enabled, raising=False)
    assert cpus.gil_enabled() is enabled
    assert ("without a GIL" in cpus.describe()) is not enabled


def test_the_environment_is_plain_json() -> None:
    value = cpus.environment(["run delay needs Linux"])
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert value["missing_readings"] == ["run delay needs Linux"]
