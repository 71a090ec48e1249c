"""``executor="dask"``: a cluster that the test starts, and a scheduler that was there before, for real."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ALONE, text_of

pytest.importorskip("distributed")

SUITE = """
import os, signal, time
import pytest

@pytest.mark.expect_speedup(executor="dask", workers=2, at_least=1.6, max_time="1min")
def test_waits():
    time.sleep(0.05)
"""


class Cluster:
    """A scheduler and workers, each a process on the loopback interface."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.file = folder / "scheduler.json"
        self.processes = [self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")]
        self.processes += [
            self._start("worker", "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--no-dashboard")
            for _ in range(workers)
        ]

    def _start(self, what: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "distributed.cli.dask_" + what, "--scheduler-file", str(self.file), *arguments]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.file.parent)

    @property
    def address(self) -> str:
        from distributed import Client

        with Client(scheduler_file=str(self.file), timeout=30, set_as_default=False) as client:
            client.wait_for_workers(len(self.processes) - 1, timeout=30)
            return str(client.scheduler.address)

    def close(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path, 2)
    yield cluster
    cluster.close()


def run(pytester: pytest.Pytester, suite: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(suite)
    return pytester.runpytest_subprocess(*ALONE, "--concurrency-report=json:out.json", "-rs", *arguments)


def note_of(pytester: pytest.Pytester) -> str:
    (record,) = json.loads((pytester.path / "out.json").read_text())["records"]
    return str(record["arms"][0]["note"])


def test_a_local_cluster_is_started_where_no_address_is_given(pytester: pytest.Pytester) -> None:
    result = run(pytester, SUITE)
    result.assert_outcomes(passed=1)
    assert "a local Dask cluster" in note_of(pytester)
    assert "to its workers and back takes" in note_of(pytester)


def test_the_cluster_of_the_ini_file_is_used(pytester: pytest.Pytester, cluster: Cluster) -> None:
    address = cluster.address
    pytester.makeini(f"[pytest]\nconcurrency_dask_address = {address}")
    result = run(pytester, SUITE)
    result.assert_outcomes(passed=1)
    assert address in note_of(pytester)


def test_a_worker_that_is_lost_in_a_round_fails_its_test(pytester: pytest.Pytester, cluster: Cluster) -> None:
    """The cluster runs its part elsewhere; taken for the body's own time, that would be a wrong verdict."""
    result = run(
        pytester,
        SUITE.replace("def test_waits():", "def test_waits(concurrency_worker, tmp_path):")
        + """
    flag = tmp_path / "killed"
    if concurrency_worker.index == 1 and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
""",
        f"--concurrency-dask-address={cluster.address}",
    )
    result.assert_outcomes(failed=1)
    assert "dask: 2 workers ran at the same time before, but now only 1." in text_of(result)


def test_no_scheduler_at_the_address_is_unmeasurable(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("from pytest_concurrency.backends import executors\nexecutors._DASK_ANSWERS = 0.5\n")
    result = run(pytester, SUITE, "--concurrency-dask-address=tcp://127.0.0.1:9")
    result.assert_outcomes(skipped=1)
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in text_of(result)


def test_a_scheduler_that_goes_away_costs_its_test_only(pytester: pytest.Pytester, cluster: Cluster) -> None:
    address, scheduler = cluster.address, cluster.processes[0].pid
    result = run(
        pytester,
        SUITE.replace("def test_waits():", "def test_waits(concurrency_worker):")
        + f"""
    if concurrency_worker.backend == "dask":
        os.kill({scheduler}, signal.SIGKILL)
        time.sleep(1)

def test_other():
    pass
""",
        f"--concurrency-dask-address={address}",
        "--concurrency-max-time=3s",
    )
    result.assert_outcomes(failed=1, passed=1)
    assert "dask" in text_of(result)
