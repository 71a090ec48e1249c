"""Threads and child processes that report their end."""

from __future__ import annotations

import builtins
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from pytest_concurrency.probes import process_usage, thread_clock
from pytest_concurrency.probes.ended_tasks import ENDED, WHOLE_THREAD, Task, Totals
from pytest_concurrency.probes.helper_threads import HelperThreads
from pytest_concurrency.probes.process_usage import ProcessUsage

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
    assert mark is not None
    try:
        call()
    finally:
        ended = ENDED.leave(mark)
    return ended


def in_a_thread() -> None:
    thread = threading.Thread(target=compute)
    thread.start()
    thread.join()


def in_a_timer() -> None:
    timer = threading.Timer(0.001, compute)
    timer.start()
    timer.join()


def in_a_process() -> None:
    subprocess.run([sys.executable, "-I", "-S", "-c", COMPUTE], check=True)


def in_a_forked_process() -> None:
    if not (process := os.fork()):
        compute()
        os._exit(0)
    while os.waitpid(process, os.WNOHANG) == (0, 0):
        time.sleep(0.001)


@pytest.mark.parametrize(
    ("call", "cpu"),
    [(in_a_thread, 0.03), (in_a_timer, 0.03), (in_a_process, 0.1), (in_a_forked_process, 0.03)],
    ids=["thread", "timer", "process", "forked"],
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
    before = getattr(threading.Thread, WHOLE_THREAD), os.waitpid
    first, second = ENDED.watch(), ENDED.watch()
    assert first is not None
    assert second is not None
    ENDED.leave(first)
    assert (getattr(threading.Thread, WHOLE_THREAD), os.waitpid) != before
    ENDED.leave(second)
    assert (getattr(threading.Thread, WHOLE_THREAD), os.waitpid) == before


def test_forked_process_notes_nothing_of_its_own_threads() -> None:
    def fork() -> None:
        if not (process := os.fork()):
            before = len(ENDED._ends)
            in_a_thread()
            os._exit(len(ENDED._ends) - before)
        assert os.waitpid(process, 0)[1] == 0

    ended_in(fork)


def test_process_that_was_stopped_is_waited_for_as_ever() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:

        def stop() -> None:
            os.kill(child.pid, signal.SIGSTOP)
            assert os.WIFSTOPPED(os.waitpid(child.pid, os.WUNTRACED)[1])

        assert not ended_in(stop)
        os.kill(child.pid, signal.SIGCONT)
        child.communicate(b"\n")


def test_handler_that_waits_for_processes_itself_takes_no_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    def reap(*signal_and_frame: object) -> None:
        with suppress(ChildProcessError):
            taken.append(os.waitpid(-1, os.WNOHANG)[0])

    before = signal.signal(signal.SIGCHLD, reap)
    try:
        codes: list[int] = []
        ended_in(lambda: codes.append(subprocess.run([sys.executable, "-c", "exit(3)"], check=False).returncode))
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert codes == [3]


def test_body_that_replaces_open_is_not_disturbed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError("it was called")

    def call() -> None:
        with monkeypatch.context() as context:
            context.setattr(builtins, "open", refuse)
            in_a_thread()

    assert len(ended_in(call)) == 1


def test_nothing_is_replaced_where_a_process_cannot_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "waitid")
    before = getattr(threading.Thread, WHOLE_THREAD), os.waitpid
    assert ENDED.watch() is None
    assert (getattr(threading.Thread, WHOLE_THREAD), os.waitpid) == before


@pytest.mark.parametrize("reads", ["helpers", "usage at the start", "usage at the end"])
def test_signal_while_readings_are_taken_leaves_nothing_watching(reads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> Totals:
        raise KeyboardInterrupt

    def read() -> None:
        if reads == "helpers":
            with HelperThreads(children=True, delays=True):
                monkeypatch.setattr(process_usage, "everyone", interrupted)
        elif reads == "usage at the start":
            monkeypatch.setattr(process_usage, "everyone", interrupted)
            with ProcessUsage(short_lived=True):
                pass
        else:
            with ProcessUsage(short_lived=True):
                monkeypatch.setattr(thread_clock.ThreadClock, "finish", lambda *_: interrupted())

    before = ENDED._watchers
    with pytest.raises(KeyboardInterrupt):
        read()
    assert ENDED._watchers == before
