"""A session, and unit tests, on a system that pretends to be macOS or Windows: see sitecustomize.py beside this file.

It finds lines that only Linux can run. What these systems do otherwise remains to be tried on them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ALONE, IMPORTS, REPORT, records_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pretends on Linux that it is another system")

ROOT = Path(__file__).parents[2]
SESSION = """
pytestmark = pytest.mark.filterwarnings("error")

@pytest.mark.expect_speedup(threads=2, at_least=1.2)
def test_threads():
    time.sleep(0.005)

@pytest.mark.expect_speedup(tasks=2, at_least=1.2)
@pytest.mark.expect_nonblocking
async def test_tasks():
    await asyncio.sleep(0.005)

@pytest.mark.expect_speedup(processes=2, at_least=1.2)
def test_processes(concurrency_tmp_path):
    (concurrency_tmp_path / "file").write_text("text")
    time.sleep(0.005)

@pytest.mark.expect_cpu_bound
def test_computes():
    sum(number * number for number in range(20_000))

@pytest.mark.expect_gil_released
def test_waits():
    time.sleep(0.005)

def test_instruments(concurrency):
    meeting = concurrency.in_flight(meet=2)
    calls = concurrency.watch("test_suite:enter")
    threads = [threading.Thread(target=lambda: enter(meeting)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meeting.peak == 2
    assert calls.peak == 2

def enter(meeting):
    with meeting:
        pass

async def test_guard(concurrency):
    async with concurrency.nonblocking("20s"):
        await asyncio.sleep(0.01)

@pytest.mark.expect_speedup(processes=2, at_least=1.2)
def test_worker_dies(concurrency_worker):
    if concurrency_worker.backend == "processes":
        os._exit(3)
    time.sleep(0.005)
"""
# What reads the system most; tests of what only Linux has are elsewhere.
UNIT_TESTS = ("probes", "session/host")


@pytest.fixture(params=["darwin", "win32"])
def other_platform(request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment of a Python that pretends to run on another system."""
    path = os.pathsep.join([str(Path(__file__).parent), str(ROOT)])
    return {**os.environ, "PRETENDED_PLATFORM": request.param, "PYTHONPATH": path}


def run(folder: Path, environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    return done.stdout + done.stderr


def test_session(pytester: pytest.Pytester, other_platform: dict[str, str]) -> None:
    pytester.makepyfile(test_suite=IMPORTS + SESSION)
    limits = ("--concurrency-max-time=200ms", "--concurrency-undecided=pass", "--concurrency-max-block=20s", REPORT)
    text = run(pytester.path, other_platform, "-m", "pytest", *ALONE, "-rA", "--concurrency-save", *limits)
    assert "7 passed" in text, text
    assert "worker 1 of 2 exited with status 3" in text or "worker 2 of 2 exited with status 3" in text, text
    assert "not readable on this machine: run delay" in text
    measured = records_of(pytester)
    assert {"test_threads", "test_tasks", "test_processes", "test_computes", "test_waits"} <= set(measured)


def test_doctor(pytester: pytest.Pytester, other_platform: dict[str, str]) -> None:
    short = ("--max-time=100ms", "--seconds=100ms")
    text = run(pytester.path, other_platform, "-m", "pytest_concurrency", "doctor", *short)
    platform = other_platform["PRETENDED_PLATFORM"]
    assert f"Linux only, and this is {platform}" in " ".join(text.split()), text
    assert "prlimit" not in text
    assert "Traceback" not in text


def test_unit_tests(tmp_path: Path, other_platform: dict[str, str]) -> None:
    folders = [str(ROOT / "tests" / "unit" / name) for name in UNIT_TESTS]
    options = ("-q", "--tb=short", "-k", "not others_could_write_to", *ALONE, f"--rootdir={ROOT}")
    text = run(tmp_path, other_platform, "-m", "pytest", *options, "-c", str(ROOT / "pyproject.toml"), *folders)
    assert " passed" in text.splitlines()[-1], text
    assert "failed" not in text.splitlines()[-1], text
