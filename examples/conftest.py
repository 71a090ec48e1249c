"""Fixtures of the examples: a slow web server in another process, and the number of usable CPUs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

DELAY = 0.05  # seconds that every page takes


@pytest.fixture(scope="session")
def pages() -> Iterator[list[str]]:
    """Addresses of three pages of a real web server, which runs in another process."""
    command = [sys.executable, str(Path(__file__).with_name("slow_server.py")), str(DELAY)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        assert address, "the example server did not start"
        yield [f"{address}/{page}" for page in ("one", "two", "three")]
        # The end of the block closes the server's input, at which it ends.


@pytest.fixture(scope="session")
def usable_cpus() -> float:
    """How many CPUs this process may keep busy at a time: what it is allowed to run on, then its quota."""
    return _usable_cpus()


@pytest.fixture(scope="session")
def two_cpus(usable_cpus: float) -> None:
    """Skip a test that needs two CPUs."""
    if usable_cpus < 2:
        pytest.skip(f"needs 2 CPUs, and {usable_cpus:g} can be used here")


def _usable_cpus() -> float:
    allowed = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    try:  # a container's quota on Linux: "150000 100000" are 1.5 CPUs, "max 100000" is no quota
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return min(allowed, int(quota) / int(period))
    except (OSError, ValueError):
        return allowed


def pytest_concurrency_backends(config):
    """Name an executor, for ``executor="crawler"``; it is made and shut down for each test."""
    return {"crawler": lambda workers: ThreadPoolExecutor(workers, thread_name_prefix="crawler")}
