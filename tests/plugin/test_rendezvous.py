"""A rendezvous in a test: in processes of every start method, and when something ends the test early."""

from __future__ import annotations

import sys
import textwrap

import pytest
from conftest import Suite, assert_other_passed, assert_outcome, text_of

USE = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

def use(gauge, _=None):
    with gauge:
        pass
"""
METHODS = ["fork", "forkserver", "spawn"] if sys.platform != "win32" else ["spawn"]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", METHODS)
def test_processes_meet(suite: Suite, method: str) -> None:
    source = f"""
def test_processes(concurrency):
    gauge, context = concurrency.in_flight(meet=3, timeout="2min"), multiprocessing.get_context({method!r})
    started = [context.Process(target=use, args=(gauge,)) for _ in range(2)]
    for process in started:
        process.start()
    use(gauge)
    for process in started:
        process.join()
    assert gauge.peak == 3

def test_pool(concurrency):
    gauge, context = concurrency.in_flight(limit=2, timeout="2min"), multiprocessing.get_context({method!r})
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        list(pool.map(use, [gauge] * 5))
    assert (gauge.peak, gauge.entered) == (2, 5)
"""
    result = suite(USE + source, subprocess=True)
    result.assert_outcomes(passed=3)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_one_process_is_not_enough(suite: Suite) -> None:
    source = """
def test_pool(concurrency):
    gauge = concurrency.in_flight(meet=2, timeout="0.3s")
    with ProcessPoolExecutor(1) as pool:
        list(pool.map(use, [gauge] * 2))
"""
    result = suite(USE + source, subprocess=True)
    assert_outcome(result, "test_pool", "FAILED")
    assert "at most 1 of 2 was inside. Cause: never arrived: 1 of 2 within 300 ms." in text_of(result)
    assert "Where: waiting at test_suite.py" in text_of(result)
    assert_other_passed(result)


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_that_is_killed_inside_counts_no_longer(suite: Suite) -> None:
    source = """
def test_killed(concurrency):
    gauge, context = concurrency.in_flight(meet=2, timeout="0.5s"), multiprocessing.get_context("fork")
    killed = context.Process(target=use, args=(gauge,))
    killed.start()
    while not gauge.inside:
        time.sleep(0.001)
    killed.kill()
    killed.join()
    use(gauge)
"""
    result = suite(USE + source, subprocess=True)
    assert_outcome(result, "test_killed", "FAILED")
    assert "at most 1 of 2 was inside" in text_of(result)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize(("pool", "timeout"), [("ThreadPoolExecutor", "30s"), ("ProcessPoolExecutor", "100ms")])
def test_a_failure_that_a_pool_swallows_fails_the_test(suite: Suite, pool: str, timeout: str) -> None:
    source = f"""
def test_pool(concurrency):
    gauge = concurrency.in_flight(meet=3, timeout={timeout!r})
    with {pool}(2) as pool:
        for _ in range(3):
            pool.submit(use, gauge)

def test_never_entered(concurrency):
    concurrency.in_flight(limit=3)
"""
    result = suite(USE + source)
    result.assert_outcomes(failed=2, passed=1)
    assert "at most 2 of 3 were inside" in text_of(result)
    assert "was never entered, so it proves nothing" in text_of(result)


def test_gauges_wait_under_disable_too(suite: Suite) -> None:
    source = """
def test_pool(concurrency):
    gauge = concurrency.in_flight(meet=3)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(use, [gauge] * 3))
    assert gauge.peak == concurrency.in_flight().peak + 3
"""
    suite(USE + source, "--concurrency-disable").assert_outcomes(passed=2)


@pytest.mark.parametrize("what", ["KeyboardInterrupt", "pytest.exit.Exception('enough')"])
def test_an_interrupt_frees_who_waits(suite: Suite, what: str) -> None:
    source = f"""
def test_pool(concurrency):
    gauge = concurrency.in_flight(meet=3, timeout="1h")
    with ThreadPoolExecutor(2) as pool:
        pool.submit(use, gauge), pool.submit(use, gauge)
        raise {what}
"""
    assert suite(USE + source, subprocess=True).ret == 2


def test_pytest_timeout_frees_who_waits(suite: Suite) -> None:
    pytest.importorskip("pytest_timeout")
    source = """
@pytest.mark.timeout(1, method="signal")
def test_pool(concurrency):
    gauge = concurrency.in_flight(meet=3, timeout="1h")
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(use, gauge), pool.submit(use, gauge), pool.submit(time.sleep, 2)]
        futures[0].result()
"""
    result = suite(USE + source, "-p", "pytest_timeout", subprocess=True)
    assert_outcome(result, "test_pool", "FAILED")
    assert "Timeout" in text_of(result)
    assert_other_passed(result)


def test_body_of_a_marked_test_gets_the_same_advice_in_its_first_call(suite: Suite) -> None:
    source = """
@pytest.mark.expect_speedup(threads=2, at_least=1.5)
def test_marked(concurrency):
    use(concurrency.in_flight(meet=2, timeout="1h"))
"""
    assert "was entered inside a body that is being measured" in text_of(suite(USE + source))


def test_measured_body_gets_advice_to_use_something_else(suite: Suite) -> None:
    source = """
def test_pool(concurrency):
    gauge = concurrency.in_flight(meet=2)
    concurrency.measure(use, gauge, threads=2)
"""
    assert "was entered inside a body that is being measured" in text_of(suite(textwrap.dedent(USE + source)))
