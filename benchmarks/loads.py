"""Things that a busy machine does, as processes of this script's own, ended by their ids; and a CPU quota."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from pytest_concurrency.machine.cpus import cgroup_folder

BURN = "while True: pass"
NICE = "import os; os.nice(19)\nwhile True: pass"
BURST = """
import random, sys, time
low, high = map(float, sys.argv[1:3])
while True:
    end = time.time() + random.uniform(low, high)
    while time.time() < end: pass
    time.sleep(random.uniform(low, high))
"""
DISK = """
import os, tempfile
with tempfile.TemporaryFile() as file:
    while True:
        file.seek(0); file.write(os.urandom(1 << 22)); file.flush(); os.fsync(file.fileno())
"""
MEMORY = """
block = bytearray(64 << 20)
other = bytearray(64 << 20)
while True:
    other[:] = block
"""

LOADS: dict[str, list[tuple[str, ...]]] = {
    "idle": [],
    "busy 1": [(BURN,)],
    "busy 2": [(BURN,)] * 2,
    "busy 4": [(BURN,)] * 4,
    "busy 8": [(BURN,)] * 8,
    "nice 4": [(NICE,)] * 4,
    "bursts 0.1 s": [(BURST, "0.05", "0.2")] * 2,
    "bursts 1 s": [(BURST, "0.3", "2")] * 2,
    "bursts 10 s": [(BURST, "3", "30")] * 2,
    "disk": [(DISK,)],
    "memory": [(MEMORY,)],
    "quota": [],
}
QUOTA, PERIOD = 150_000, 100_000  # microseconds: one CPU and a half


@contextlib.contextmanager
def load(name: str) -> Iterator[None]:
    """Keep the machine busy in one of these ways; processes started meanwhile have a quota if that is the load.

    :raises OSError: a quota needs a control group with a CPU controller, and the right to make another in it.
    """
    if name == "quota":
        with _quota():
            yield
        return
    with programs(LOADS[name]):
        yield


@contextlib.contextmanager
def programs(sources: list[tuple[str, ...]]) -> Iterator[None]:
    """Run programs, each by its source and its arguments, until the exit."""
    signal.signal(signal.SIGTERM, _leave)  # a study that is stopped leaves no load behind, which would spoil the next
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    processes = [
        subprocess.Popen([sys.executable, "-c", code, *arguments], env=environment) for code, *arguments in sources
    ]
    try:
        time.sleep(0.3 if processes else 0)
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _leave(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)


@contextlib.contextmanager
def _quota() -> Iterator[None]:
    """Move this process, and so what it starts, into a control group that may use one CPU and a half."""
    above = cgroup_folder()
    if above is None:
        raise OSError("there is no control group with a CPU controller")
    group = above / f"load-{os.getpid()}"
    group.mkdir()
    try:
        if (group / "cpu.max").exists():
            (group / "cpu.max").write_text(f"{QUOTA} {PERIOD}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD))
            (group / "cpu.cfs_quota_us").write_text(str(QUOTA))
        _enter(group)
        yield
    finally:
        _enter(above)
        group.rmdir()


def _enter(group: Path) -> None:
    (group / "cgroup.procs").write_text(str(os.getpid()))
