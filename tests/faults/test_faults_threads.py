"""Worker threads that are interrupted, ended, deadlocked or forked off; the session goes on."""

from __future__ import annotations

import threading

import pytest
from conftest import (
    REPORT,
    THREADS,
    Backend,
    Suite,
    assert_next_measured,
    assert_one_pays,
    body,
    next_body,
    records_of,
)


@pytest.mark.parametrize("statement", ["raise KeyboardInterrupt", "raise KeyboardInterrupt('mine')"])
def test_a_workers_keyboard_interrupt_ends_no_session(
    suite: Suite, pytester: pytest.Pytester, backend: Backend, statement: str
) -> None:
    """Ctrl-C itself reaches the main thread; see test_faults.py for that."""
    result = suite(body(backend, statement) + next_body(backend), REPORT, subprocess=True)
    text = assert_one_pays(result, pytester)
    assert "the body raised KeyboardInterrupt" in text
    assert ("KeyboardInterrupt: mine" in text) == ("mine" in statement)
    assert statement in text
    assert f"while measuring: {backend.name} worker 3 of 4, warming up" in text
    assert "no tests ran" not in text


def test_system_exit_and_what_no_exception_class_is_fit_for(
    suite: Suite, pytester: pytest.Pytester, backend: Backend
) -> None:
    source = """
class Own(BaseException):
    pass
"""
    result = suite(source + body(backend, "raise Own('boom')") + next_body(backend), REPORT)
    text = assert_one_pays(result, pytester)
    assert "Own: boom" in text
    assert f"while measuring: {backend.name} worker 3 of 4, warming up" in text


def test_a_thread_that_is_ended_before_its_batch(suite: Suite, pytester: pytest.Pytester) -> None:
    """Exceptions from outside reach a thread where it happens to be: before the body has begun."""
    result = suite(
        """
import ctypes

def end_third_worker():
    for thread in threading.enumerate():
        if thread.name == "concurrency-threads-2":
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemError))
            return

@pytest.mark.expect_speedup(threads=4, at_least=2)
def test_body(concurrency_worker):
    time.sleep(0.004)
    if concurrency_worker.count == 1 and concurrency_worker.backend == "threads":
        end_third_worker()
"""
        + next_body(THREADS),
        REPORT,
    )
    text = assert_one_pays(result, pytester)
    assert "threads: worker 3 of 4 was ended from outside while it waited for work. Cause: SystemError. Try: " in text
    assert "while measuring: " in text
    assert "threads.py" not in text, "the plugin's own code is shown"


DEADLOCK = """
ONE, OTHER = threading.Lock(), threading.Lock()
BOTH = threading.Barrier(2)

@pytest.mark.expect_speedup(threads=2, at_least=1.5)
def test_body(concurrency_worker):
    if concurrency_worker.count == 1 or concurrency_worker.backend != "threads":
        return time.sleep(0.004)
    mine, yours = (ONE, OTHER) if concurrency_worker.index else (OTHER, ONE)
    with mine:
        BOTH.wait()
        yours.acquire({})  # here
"""


@pytest.mark.usefixtures("impatient")
def test_workers_that_wait_for_each_others_lock(suite: Suite, pytester: pytest.Pytester) -> None:
    # With a limit, so that this test leaves no thread behind; without one it would.
    result = suite(DEADLOCK.format("timeout=3") + next_body(THREADS), REPORT, "--concurrency-max-time=0.5s")
    text = assert_one_pays(result, pytester)
    assert (
        "threads: none of the 2 workers answered within 500 ms. Cause: they may wait for each other (a deadlock)"
        in text
    )
    result.stdout.re_match_lines([r"Where: workers 1, 2: .*test_suite\.py:\d+ in test_body:"])
    assert "yours.acquire(timeout=3) # here Try: look for a lock" in text
    assert "A thread that waits cannot be ended from outside" in text
    assert "while measuring: warming up" in text


def test_a_deadlock_without_an_end_does_not_keep_the_session(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makeconftest("from pytest_concurrency.measurement import trial\ntrial._LEAST_PATIENCE = 0.5\n")
    result = suite(DEADLOCK.format("") + next_body(THREADS), REPORT, "--concurrency-max-time=0.5s", subprocess=True)
    assert_one_pays(result, pytester)
    assert result.duration < 60


def test_a_daemon_thread_that_the_body_leaves(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(
        """
LEFT = []

@pytest.mark.expect_speedup(threads=2, at_least=1.2, max_time="1us", undecided="pass")
def test_body(concurrency_worker):
    time.sleep(0.004)
    if not LEFT:
        LEFT.append(threading.Thread(target=time.sleep, args=(600,), daemon=True))
        LEFT[0].start()
"""
        + next_body(THREADS),
        REPORT,
        subprocess=True,
    )
    result.assert_outcomes(passed=3)
    assert_next_measured(pytester)
    assert records_of(pytester)["test_body"]["expectations"][0]["rounds"] >= 2


def test_the_system_gives_no_more_threads(suite: Suite, pytester: pytest.Pytester) -> None:
    """Root has no limit of its own: the interpreter says what it would say."""
    result = suite(
        """
@pytest.fixture
def crowded(monkeypatch):
    start = threading.Thread.start
    def limited(thread):
        if thread.name == "concurrency-threads-2":
            raise RuntimeError("can't start new thread")
        start(thread)
    monkeypatch.setattr(threading.Thread, "start", limited)

@pytest.mark.usefixtures("crowded")
@pytest.mark.expect_speedup(threads=4, at_least=2)
def test_body():
    time.sleep(0.004)
"""
        + next_body(THREADS),
        REPORT,
    )
    text = assert_one_pays(result, pytester)
    assert "threads: worker 3 of 4 could not be started. Cause: RuntimeError: can't start new thread. Try: " in text
    assert "ask for fewer" in text
    assert [thread for thread in threading.enumerate() if thread.name.startswith("concurrency-")] == []


def test_a_worker_thread_that_forks(suite: Suite, pytester: pytest.Pytester) -> None:
    """The copy has only that one thread, and must not go on as a worker of the session."""
    if not hasattr(__import__("os"), "fork"):
        pytest.skip("this platform has no fork")
    result = suite(
        """
@pytest.mark.expect_speedup(threads=2, at_least=1.2, max_time="1us", undecided="pass")
@pytest.mark.filterwarnings("ignore")
def test_body():
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    time.sleep(0.004)
"""
        + next_body(THREADS),
        REPORT,
        subprocess=True,
    )
    result.assert_outcomes(passed=3)
    assert_next_measured(pytester)
