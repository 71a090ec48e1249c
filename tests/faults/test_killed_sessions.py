"""A session that is killed while bodies hang in worker processes: none of these stays behind."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import time

import psutil
import pytest
from conftest import ALONE, IMPORTS

HANGS = """
HERE = pathlib.Path(__file__).parent

@pytest.mark.expect_speedup(processes=2, at_least=1.5, max_time="60s")
def test_hangs(concurrency_worker):
    if concurrency_worker.backend == "processes":
        (HERE / f"{os.getpid()}.pid").write_text("")
        while True:
            time.sleep(0.1)
"""
PATIENCE = 60  # seconds


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_workers_that_hang_end_with_their_killed_session(pytester: pytest.Pytester, method: str) -> None:
    pytester.makepyfile(IMPORTS + HANGS)
    session = pytester.popen(
        [sys.executable, "-m", "pytest", *ALONE, f"--concurrency-start-method={method}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    workers: list[psutil.Process] = []
    try:
        end = time.monotonic() + PATIENCE
        while len(workers) < 2 and time.monotonic() < end and session.poll() is None:
            time.sleep(0.1)
            workers = [psutil.Process(int(path.stem)) for path in pytester.path.glob("*.pid")]
    finally:
        session.kill()
        session.wait()
    assert len(workers) == 2
    _, alive = psutil.wait_procs(workers, timeout=PATIENCE)
    left = [worker for worker in alive if worker.status() != psutil.STATUS_ZOMBIE]  # which no one here reaps
    for worker in left:
        worker.kill()
    assert left == []
