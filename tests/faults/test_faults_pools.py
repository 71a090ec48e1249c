"""Bodies that hang in someone's pool: Python waits for a pool's workers at its end, and must not for these."""

from __future__ import annotations

import re
import sys

import pytest
from conftest import THREADS, Suite, assert_next_measured, assert_other_passed, next_body, text_of

REPORT = "--concurrency-report=json:out.json"
POOLS = """
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
THREADS, PROCESSES = ThreadPoolExecutor(2), ProcessPoolExecutor(2)
"""
# The session is well only if what else Python does at its end is done as ever.
AT_THE_END = """
import atexit, threading, time
from pytest_concurrency.measurement import trial
trial._LEAST_PATIENCE = 0.5

atexit.register(print, "atexit was called", flush=True)

def pytest_unconfigure():
    def last():
        time.sleep(0.5)
        print("a thread was waited for", flush=True)
    threading.Thread(target=last).start()
"""
HANG = "threading.Event().wait()  # here"
MARKED = """
@pytest.mark.expect_speedup({workers}, at_least=1.5)
def test_body(concurrency_worker):
    {imports}
    if concurrency_worker.backend != "serial" and concurrency_worker.index == 1:
        {statement}
    time.sleep(0.004)
"""
ASKED = f"""
def hanging():
    from pytest_concurrency.backends.batch import current_worker
    if current_worker.get().backend != "serial" and current_worker.get().index == 1:
        {HANG}
    time.sleep(0.004)

def test_body(concurrency):
    assert concurrency.speedup(hanging, executor={{pool}}, workers=2) > 1
"""


def hang(suite: Suite, pytester: pytest.Pytester, source: str) -> tuple[pytest.RunResult, str]:
    pytester.makeconftest(AT_THE_END)
    options = (REPORT, "--concurrency-max-time=0.5s")
    result = suite(POOLS + source + next_body(THREADS), *options, subprocess=True)
    result.assert_outcomes(failed=1, passed=2)
    assert result.ret == 1
    assert_other_passed(result)
    assert_next_measured(pytester)
    result.stdout.fnmatch_lines(["a thread was waited for", "atexit was called"])
    assert "Exception ignored" not in result.stderr.str()
    assert "Traceback" not in result.stderr.str()
    text = text_of(result)
    assert re.search(r"(?:1 of 2 workers did not answer|none of the 2 workers answered) within 500 ms\.", text)
    return result, text


def test_in_a_pool_of_threads(suite: Suite, pytester: pytest.Pytester) -> None:
    source = MARKED.format(workers="executor=ThreadPoolExecutor, workers=2", imports="", statement=HANG)
    result, text = hang(suite, pytester, source)
    assert re.search(r"Where: worker 2: test_suite\.py:\d+ in test_body: threading\.Event\(\)\.wait\(\) # here", text)
    assert "A thread that waits cannot be ended from outside" in text
    assert (
        "these still hang in a measured body, so Python exits without waiting for them (it would wait forever):" in text
    )
    result.stderr.re_match_lines([r"  test_body, ThreadPoolExecutor worker 2: .*test_suite\.py:\d+ in test_body: .*"])


def test_in_a_pool_of_threads_of_the_tests_own(suite: Suite, pytester: pytest.Pytester) -> None:
    result, _ = hang(suite, pytester, ASKED.format(pool="THREADS"))
    result.stderr.re_match_lines([r"  hanging\(\), ThreadPoolExecutor worker 2: .*test_suite\.py:\d+ in hanging: .*"])


def test_in_a_pool_of_processes_of_the_tests_own(suite: Suite, pytester: pytest.Pytester) -> None:
    result, _ = hang(suite, pytester, ASKED.format(pool="PROCESSES"))
    result.stderr.fnmatch_lines(["  hanging(), ProcessPoolExecutor worker 2: no answer"])


def test_in_a_thread_of_the_event_loops_pool(suite: Suite, pytester: pytest.Pytester) -> None:
    """The loop is the plugin's, and with it the pool that ``asyncio.to_thread`` uses."""
    source = """
@pytest.mark.expect_speedup(tasks=2, at_least=1.5)
async def test_body():
    await asyncio.to_thread(threading.Event().wait)
"""
    result, _ = hang(suite, pytester, source)
    result.stderr.fnmatch_lines(["  test_body, a thread of its event loop's pool: *wait*"])


def test_computing_without_an_end_is_ended(suite: Suite, pytester: pytest.Pytester) -> None:
    """It would take its CPU from every later measurement; the pool's thread goes on."""
    source = ASKED.format(pool="THREADS").replace(HANG, "while True: pass  # here")
    again = """
def test_the_pool_is_whole():
    assert THREADS.submit(lambda: 42).result(10) == 42 == THREADS.submit(lambda: 42).result(10)
    barrier = threading.Barrier(2)
    for future in [THREADS.submit(barrier.wait, 10) for _ in range(2)]:
        future.result(20)
"""
    pytester.makeconftest(AT_THE_END)
    result = suite(POOLS + source + again, "--concurrency-max-time=0.5s", subprocess=True)
    result.assert_outcomes(failed=1, passed=2)
    result.stdout.re_match_lines([r"E *Where: worker 2: .*test_suite\.py:\d+ in hanging: while True: pass.*"])
    assert "Python would wait" not in result.stderr.str()


def test_a_pool_whose_workers_all_hang_is_reported_as_such(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        AT_THE_END + "from pytest_concurrency.backends import executor_group\nexecutor_group._ASSEMBLING = 0.5\n"
    )
    source = """
@pytest.fixture(autouse=True)
def busy():
    stop = threading.Event()
    for _ in range(2):
        THREADS.submit(stop.wait)
    yield
    stop.set()

def test_body(concurrency):
    assert concurrency.speedup(time.sleep, 0.004, executor=THREADS, workers=2) > 1
"""
    result = suite(POOLS + source, "--concurrency-max-time=0.5s", subprocess=True)
    result.assert_outcomes(failed=1, passed=1)
    assert "workers 1, 2: not begun: no worker of the pool was free" in text_of(result)


def test_under_xdist(pytester: pytest.Pytester, suite: Suite) -> None:
    pytest.importorskip("xdist")
    pytester.makeconftest(AT_THE_END)
    source = MARKED.format(workers="executor=ThreadPoolExecutor, workers=2", imports="", statement=HANG)
    result = suite(POOLS + source, "-p", "xdist", "-n1", "--concurrency-max-time=0.5s", subprocess=True)
    result.assert_outcomes(failed=1, passed=1)
    assert result.duration < 60


@pytest.mark.skipif(sys.version_info < (3, 14), reason="subinterpreters need Python 3.14")
@pytest.mark.parametrize("statement", [HANG, "while True: pass"])
def test_in_an_interpreter(suite: Suite, pytester: pytest.Pytester, statement: str) -> None:
    source = MARKED.format(workers="interpreters=2", imports="import threading, time", statement=statement)
    result, text = hang(suite, pytester, source)
    assert (
        "these still hang in a measured body, so Python exits without waiting for them (it would wait forever):" in text
    )
    result.stderr.fnmatch_lines(["  test_body, interpreters worker 2: no answer"])
