"""The process that takes real-time priority away from a batch that hangs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from pytest_concurrency.machine import priority, watchdog, watchdog_main

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the priority of threads is raised on Linux only")
BEGIN = """
import os, re, signal, subprocess, sys, time
from pytest_concurrency.machine import inherited_priority, priority
from pytest_concurrency.probes import process_usage
higher = priority.choose("realtime")
"""


def start(source: str) -> subprocess.Popen[str]:
    found = priority.choose("realtime")
    if found.kind != "realtime" or not watchdog.start():
        pytest.skip(found.why or "no watchdog can be started here")
    return subprocess.Popen([sys.executable, "-c", BEGIN + source], stdout=subprocess.PIPE, text=True)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.05)


def is_ordinary(process: int) -> bool:
    return os.sched_getscheduler(process) & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER


def watchdogs_of(process: int) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes().decode().split("\0")[:-1]
            found += [folder.name] if "watchdog_main" in " ".join(words) and words[-1] == str(process) else []
    return found


def test_thread_that_never_gives_the_gil_back_loses_the_priority_when_it_is_late() -> None:
    # The matching of a regular expression keeps the GIL.
    hangs = """
with priority.raised(higher, [], 0.5):
    print("raised", flush=True)
    re.match("(a+)+$", "a" * 50 + "b")
"""
    with start(hangs) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "raised\n"
            wait_for(lambda: is_ordinary(process.pid))
            assert process.poll() is None
        finally:
            process.kill()
    wait_for(lambda: not watchdogs_of(process.pid))


NAMED = """
worker = subprocess.Popen([sys.executable, "-c", "while True: pass"], stdout=subprocess.DEVNULL)
with priority.raised(higher, [worker.pid], 600):
"""
STARTED = """
with inherited_priority.raised(higher, [], 600):
    worker = subprocess.Popen([sys.executable, "-c", "while True: pass"], stdout=subprocess.DEVNULL)
"""


@pytest.mark.parametrize("raise_worker", [NAMED, STARTED], ids=["named", "started in the batch"])
def test_worker_process_loses_the_priority_when_the_session_is_killed(raise_worker: str) -> None:
    source = f"""{raise_worker}
    print(worker.pid, os.sched_getscheduler(worker.pid) & ~os.SCHED_RESET_ON_FORK == os.SCHED_RR, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    with start(source) as process:
        assert process.stdout is not None
        number, raised = process.stdout.readline().split()
    try:
        assert raised == "True"
        wait_for(lambda: is_ordinary(int(number)))
    finally:
        os.kill(int(number), 9)


@pytest.mark.parametrize("own_session", [False, True])
def test_what_inherited_the_priority_loses_it_in_a_batch_that_hangs(own_session: bool) -> None:
    source = f"""
with inherited_priority.raised(higher, [], 0.5):
    child = subprocess.Popen(
        [sys.executable, "-c", "while True: pass"], stdout=subprocess.DEVNULL, start_new_session={own_session}
    )
    print(child.pid, os.sched_getscheduler(child.pid) & ~os.SCHED_RESET_ON_FORK == os.SCHED_RR, flush=True)
    re.match("(a+)+$", "a" * 50 + "b")
"""
    with start(source) as process:
        assert process.stdout is not None
        number, raised = process.stdout.readline().split()
        try:
            assert raised == "True"
            wait_for(lambda: is_ordinary(int(number)) and is_ordinary(process.pid))
        finally:
            os.kill(int(number), 9)
            process.kill()


def test_batch_in_time_keeps_the_priority_and_no_child_process_is_seen() -> None:
    source = """
with priority.raised(higher, [], 600):
    time.sleep(2.5)  # the watchdog looks once a second
    print(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_RR, process_usage.descendants())
print(os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER)
"""
    with start(source) as process:
        assert process.communicate()[0].splitlines() == ["True {}", "True"]


def test_threads_are_no_longer_watched_after_their_batch() -> None:
    if not watchdog.start():
        pytest.skip("no watchdog can be started here")
    memory = watchdog._memory(os.getpid())
    assert memory is not None
    with watchdog.watching([1], 600), watchdog.watching([2, 3], 600):
        assert watchdog_main.HEAD.unpack_from(memory)[1] == 2
    assert watchdog_main.HEAD.unpack_from(memory) == (0.0, 0, 0)


def test_without_a_watchdog_a_batch_is_measured_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "_memory", lambda process: None)
    assert not watchdog.start()
    with watchdog.watching([1], 600):
        pass


def test_test_that_replaces_processes_and_clocks_starts_a_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def replaced(*args: object, **named: object) -> float:
        raise AssertionError("it was called")

    for name in ("run", "Popen"):
        monkeypatch.setattr(subprocess, name, replaced)
    monkeypatch.setattr(time, "monotonic", replaced)
    memory = watchdog._memory.__wrapped__(os.getpid())
    if memory is None:
        pytest.skip("no watchdog can be started here")
    monkeypatch.setattr(watchdog, "_memory", lambda process: memory)
    with watchdog.watching([1], 600):
        assert watchdog_main.HEAD.unpack_from(memory)[1] == 1


def test_only_the_process_and_orphans_may_have_inherited_a_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    parents = {
        1: (0, 1),
        10: (1, 10),  # the shell, which leads the session
        20: (10, 10),  # the watched process
        21: (20, 10),
        22: (21, 22),  # a daemon of it
        30: (10, 10),  # another suite in the same shell
        31: (30, 10),
        40: (1, 10),  # lost its parent
        41: (40, 10),
        50: (1, 50),
    }
    monkeypatch.setattr(watchdog_main, "processes", lambda: parents)
    monkeypatch.setattr(os, "listdir", lambda path: [path.split("/")[2]])
    assert watchdog_main.heirs(20, 10) == [20, 21, 22, 40, 41]
    del parents[20]
    parents[21] = (1, 10)
    assert watchdog_main.heirs(20, 10) == [21, 22, 40, 41]
