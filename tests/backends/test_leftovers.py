"""Hundreds of measured tests in one session leave nothing behind; many workers on few CPUs are no problem."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator

import pytest
from conftest import BACKENDS, IMPORTS, PROCESSES, TASKS, THREADS, Backend, rerun

MANY = ("64 threads", "64 tasks", "16 processes")

# Counts what this process has, before the first test is set up and after the last one.
CONFTEST = """
import gc, json, multiprocessing, os, sys, threading
import psutil

# In the names of semaphores, for this process and its children: other sessions run beside this one.
OURS = f"left-{os.getpid()}"
multiprocessing.current_process()._config["semprefix"] = "/" + OURS

def everything():
    gc.collect()
    me = psutil.Process()
    return {
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "native threads": me.num_threads(),
        "files": me.num_fds() if hasattr(me, "num_fds") else me.num_handles(),
        "processes": sorted(" ".join(child.cmdline()) for child in me.children(recursive=True)),
        "semaphores": [name for name in os.listdir("/dev/shm") if OURS in name] if os.path.isdir("/dev/shm") else [],
        "temporary": sorted(name for name in os.listdir(TEMPORARY) if name.startswith("pytest-concurrency-")),
        "start": sys.getswitchinterval(),
    }

import tempfile
TEMPORARY = tempfile.gettempdir()
COUNTS = []

def pytest_runtest_logfinish(nodeid):
    if "test_warm_up" in nodeid or "test_last" in nodeid:
        COUNTS.append(everything())

def pytest_unconfigure():
    with open("counts.json", "w") as file:
        json.dump(COUNTS, file)
"""


def suite_of(numbers: dict[Backend, int]) -> str:
    """Tests that each measure two rounds, after one of each kind that imports all that is needed."""
    source = IMPORTS
    for stage in ("warm_up", "many"):
        for backend, number in numbers.items():
            times = 1 if stage == "warm_up" else number
            source += f"""
@pytest.mark.parametrize("n", range({times}))
@pytest.mark.expect_speedup({backend.name}=2, at_least=1.2, max_time="1us", undecided="pass")
{backend.define} test_{stage}_{backend.name}(n):
    {backend.wait.format(0.008)}
"""
    return source + "\ndef test_last():\n    pass\n"


def assert_nothing_is_left(pytester: pytest.Pytester, numbers: dict[Backend, int], *options: str) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_suite=suite_of(numbers))
    result = rerun(pytester, "-q", "-q", "--concurrency-report=jsonl:out.jsonl", *options, subprocess=True)
    total = sum(numbers.values()) + len(numbers)
    result.assert_outcomes(passed=total + 1)
    lines = (pytester.path / "out.jsonl").read_text().splitlines()
    assert sum('"nodeid"' in line for line in lines) == total, "each of them was measured"
    counts = json.loads((pytester.path / "counts.json").read_text())
    first, last = counts[len(numbers) - 1], counts[-1]
    assert last == first


@pytest.fixture(autouse=True)
def _own_temporary_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Other sessions run beside this one. With a short name: sockets of multiprocessing are made there."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield


def test_many_measured_tests_leave_nothing_behind(pytester: pytest.Pytester) -> None:
    assert_nothing_is_left(pytester, {THREADS: 120, TASKS: 120, PROCESSES: 40})


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_started_afresh_they_leave_nothing_behind(pytester: pytest.Pytester, method: str) -> None:
    assert_nothing_is_left(pytester, {PROCESSES: 8}, f"--concurrency-start-method={method}")


@pytest.mark.live
@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
def test_five_hundred_of_each(pytester: pytest.Pytester, backend: Backend) -> None:
    assert_nothing_is_left(pytester, {backend: 500})


@pytest.mark.parametrize(("backend", "workers"), [(THREADS, 64), (TASKS, 64), (PROCESSES, 16)], ids=MANY)
def test_many_workers_on_few_cpus(pytester: pytest.Pytester, backend: Backend, workers: int) -> None:
    """That they are measured at all, on any machine."""
    result = measured_with(pytester, backend, workers, 'max_time="1us", undecided="pass"')
    result.assert_outcomes(passed=1)


@pytest.mark.live
@pytest.mark.parametrize(("backend", "workers"), [(THREADS, 64), (TASKS, 64), (PROCESSES, 16)], ids=MANY)
@pytest.mark.parametrize(("wait", "outcome"), [(0.05, "met"), (None, "not_met")], ids=["waits", "queues"])
def test_many_workers_on_few_cpus_give_verdicts(
    pytester: pytest.Pytester, backend: Backend, workers: int, wait: float | None, outcome: str
) -> None:
    if wait is None and backend is PROCESSES:
        pytest.skip("processes share no lock here")
    measured_with(pytester, backend, workers, 'max_time="30s"', wait)
    (record,) = json.loads((pytester.path / "out.json").read_text())["records"]
    assert [expectation["verdict"] for expectation in record["expectations"]] == [outcome]


def measured_with(
    pytester: pytest.Pytester, backend: Backend, workers: int, more: str, wait: float | None = 0.02
) -> pytest.RunResult:
    body = backend.wait.format(wait or 0.005)
    if wait is None:
        body = f"async with lock_of_loop(): {body}" if backend is TASKS else f"with LOCK: {body}"
    pytester.makepyfile(
        test_suite=IMPORTS
        + f"""
LOCK, LOCKS = threading.Lock(), {{}}

def lock_of_loop():  # fresh workers have a loop of their own
    return LOCKS.setdefault(asyncio.get_running_loop(), asyncio.Lock())

@pytest.mark.expect_speedup({backend.name}={workers}, at_least={workers // 4}, {more})
{backend.define} test_body():
    {body}
"""
    )
    return rerun(pytester, "--concurrency-report=json:out.json", subprocess=True)
