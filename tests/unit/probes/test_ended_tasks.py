"""Threads and child processes that report their end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from pytest_concurrency.probes import thread_clock
from pytest_concurrency.probes.ended_tasks import ENDED, Task

pytestmark = [
    pytest.mark.skipif(thread_clock.unavailable() is not None, reason="needs run delay"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]
COMPUTE = "import time\nwhile time.process_time() < 0.1: pass"


def compute() -> None:
    end = time.thread_time() + 0.03
    while time.thread_time() < end:
        pass


def ended_in(call: Callable[[], object]) -> dict[Task, tuple[float, float]]:
    mark = ENDED.watch()
    try:
        call()
    finally:
        ended = ENDED.leave(mark)
    return ended


def in_a_thread() -> None:
    thread = threading.Thread(target=compute)
    thread.start()
    thread.join()


def in_a_process() -> None:
    subprocess.run([sys.executable, "-I", "-S", "-c", COMPUTE], check=True)


def in_a_forked_process() -> None:
    if not (process := os.fork()):
        compute()
        os._exit(0)
    while os.waitpid(process, os.WNOHANG) == (0, 0):
        time.sleep(0.001)


@pytest.mark.parametrize(
    ("call", "cpu"), [(in_a_thread, 0.03), (in_a_process, 0.1), (in_a_forked_process, 0.03)], ids=lambda one: str(one)
)
def test_what_ends_reports_its_cpu_time(call: Callable[[], object], cpu: float) -> None:
    ((_, thread), (used, delay)), *others = ended_in(call).items()
    assert not others
    assert thread != threading.get_native_id()
    assert cpu <= used < cpu + 0.3
    assert delay >= 0


def test_nothing_is_noted_that_ends_while_no_one_watches() -> None:
    in_a_thread()
    assert not ended_in(lambda: None)


def test_process_that_is_no_child_is_refused_as_ever() -> None:
    def wait_for_another() -> None:
        with pytest.raises(ChildProcessError):
            os.waitpid(os.getppid(), 0)

    assert not ended_in(wait_for_another)


def test_functions_are_as_before_when_no_one_watches() -> None:
    before = threading.Thread.run, os.waitpid
    first, second = ENDED.watch(), ENDED.watch()
    ENDED.leave(first)
    assert (threading.Thread.run, os.waitpid) != before
    ENDED.leave(second)
    assert (threading.Thread.run, os.waitpid) == before


def test_forked_process_notes_nothing_of_its_own_threads() -> None:
    def fork() -> None:
        if not (process := os.fork()):
            in_a_thread()
            os._exit(len(ENDED._ends))
        assert os.waitpid(process, 0)[1] == 0

    assert len(ended_in(fork)) == 1
