"""``executor=``: the user's own pools, loky and Dask, each for real."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest
from conftest import ALONE, Suite, text_of

from pytest_concurrency.machine.cpus import gil_enabled
from pytest_concurrency.testing import ScriptedBody

BODIES = """
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
import os, signal, threading, time
import pytest

LOCK = threading.Lock()

def wait():
    time.sleep(0.01)

def wait_in_turn():
    with LOCK:
        time.sleep(0.01)
"""
POOLS = ["ThreadPoolExecutor", "ProcessPoolExecutor", "'mine'", "'ready'"]
CONFTEST = """
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

READY = ThreadPoolExecutor(4)

def pytest_concurrency_backends(config):
    return {"mine": lambda workers: ThreadPoolExecutor(workers), "ready": READY, "wrong": lambda: 42}

def pytest_sessionfinish():
    READY.shutdown()
"""


def run(pytester: pytest.Pytester, test: str, *arguments: str) -> pytest.RunResult:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(BODIES + test)
    return pytester.runpytest_subprocess(*ALONE, *arguments)


@pytest.mark.parametrize("executor", [*POOLS, "'loky'"])
def test_waiting_overlaps_in_every_pool(pytester: pytest.Pytester, executor: str) -> None:
    result = run(
        pytester,
        f"""
@pytest.mark.expect_speedup(executor={executor}, workers=4, at_least=2.5)
def test_it():
    wait()
""",
        "--concurrency-report=json:out.json",
    )
    result.assert_outcomes(passed=1)
    (record,) = json.loads((pytester.path / "out.json").read_text())["records"]
    arms = record["arms"]
    assert {arm["backend"] for arm in arms} == {executor.strip("'")}
    assert "to its workers and back takes" in arms[0]["note"]


def test_a_lock_is_found_in_a_pool_of_threads(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.expect_speedup(executor=ThreadPoolExecutor, workers=4, at_least=3)
def test_it():
    wait_in_turn()
""",
    )
    result.assert_outcomes(failed=1)
    assert "only one of 4 ThreadPoolExecutor workers at a time" in text_of(result)
    assert "serialized" in text_of(result)


@pytest.mark.skipif(not gil_enabled(), reason="has no GIL")
def test_threads_of_a_pool_share_the_gil(suite: Suite, scripted: Callable[..., None]) -> None:
    scripted(ScriptedBody(cpu=0.008, holds_gil=True))
    result = suite(
        """
from concurrent.futures import ThreadPoolExecutor

@pytest.mark.expect_speedup(executor=ThreadPoolExecutor, workers=2, at_least=1.5)
def test_it():
    for _ in range(200_000):
        pass
"""
    )
    result.assert_outcomes(failed=1, passed=1)
    assert "global interpreter lock" in text_of(result)


def test_the_fixture_takes_a_pool_of_the_test(pytester: pytest.Pytester) -> None:
    """It is used as it is, with as many workers as it has, and still works afterwards."""
    result = run(
        pytester,
        """
def test_it(concurrency):
    with ThreadPoolExecutor(4) as pool:
        assert concurrency.speedup(wait, executor=pool) >= 3
        assert pool.submit(len, "abc").result() == 3
""",
    )
    result.assert_outcomes(passed=1)


def test_a_pool_that_is_too_small_is_reported(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
def test_it(concurrency):
    with ThreadPoolExecutor(2) as pool:
        assert concurrency.speedup(wait, executor=pool, workers=4) >= 3.5
""",
        "--concurrency-report=json:out.json",
    )
    result.assert_outcomes(failed=1)
    (record,) = json.loads((pytester.path / "out.json").read_text())["records"]
    assert "only 2 of 4 workers ran at the same time" in record["arms"][0]["note"]


def test_scaling_takes_counts_of_workers(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.expect_scaling(executor="mine", workers=(1, 2, 4), efficiency=0.7)
def test_it():
    wait()
""",
    )
    result.assert_outcomes(passed=1)


def test_a_worker_knows_who_it_is(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.expect_speedup(executor=ProcessPoolExecutor, workers=2, at_least=1.5)
def test_it(concurrency_worker):
    if concurrency_worker.backend == "ProcessPoolExecutor":
        assert concurrency_worker.index < concurrency_worker.count <= 2
    wait()
""",
    )
    result.assert_outcomes(passed=1)


def test_the_bodys_own_exception_comes_out(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.parametrize("executor", ["mine", "loky"])
def test_it(executor, concurrency):
    def body():
        if threading.current_thread() is not threading.main_thread() or executor == "loky":
            raise LookupError("not there")
    assert concurrency.speedup(body, executor=executor, workers=2) >= 1.5
""",
    )
    result.assert_outcomes(failed=2)
    assert text_of(result).count("LookupError: not there") >= 2
    assert "mine worker 1 of 2" in text_of(result)


@pytest.mark.parametrize("executor", ["ProcessPoolExecutor", "'loky'"])
def test_a_killed_worker_costs_its_test_only(pytester: pytest.Pytester, executor: str) -> None:
    result = run(
        pytester,
        f"""
@pytest.mark.expect_speedup(executor={executor}, workers=2, at_least=1.5)
def test_dies(concurrency_worker):
    if concurrency_worker.backend != "serial":
        os.kill(os.getpid(), signal.SIGKILL)

@pytest.mark.expect_speedup(executor={executor}, workers=4, at_least=2.5)
def test_lives():
    wait()
""",
    )
    result.assert_outcomes(failed=1, passed=1)
    assert "the executor has failed" in text_of(result)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("executor='lokky', workers=2", "Did you mean 'loky'?"),
        ("executor='wrong', workers=2", "gave 42, and a concurrent.futures.Executor is needed"),
        ("executor='mine'", "does not say how many workers: add workers=N"),
        ("workers=2", "workers= needs executor=. For threads, write threads=2."),
        ("executor=7, workers=2", "must be a concurrent.futures.Executor"),
        ("executor='mine', workers=0", "workers must be between 1 and"),
        ("executor='mine', workers=2, threads=2", "has threads and executor"),
        ("executor='mine', workers=1", "(executor=mine, workers=1, at_least=1.5) can never be met"),
    ],
)
def test_bad_input_costs_its_test(pytester: pytest.Pytester, arguments: str, said: str) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(
        BODIES
        + f"""
@pytest.mark.expect_speedup({arguments}, at_least=1.5)
def test_bad():
    wait()

def test_other():
    pass
"""
    )
    result = pytester.runpytest(*ALONE)
    outcomes = result.parseoutcomes()
    assert outcomes.get("passed") == 1
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) == 1
    assert said in text_of(result)


def test_an_async_body_has_no_executor(suite: Suite) -> None:
    result = suite(
        """
@pytest.mark.expect_speedup(executor="loky", workers=2, at_least=1.5)
async def test_it():
    pass
"""
    )
    assert "is for a plain function" in text_of(result)


@pytest.mark.parametrize("library", ["loky", "distributed"])
def test_a_missing_library_is_unmeasurable_and_names_the_extra(
    pytester: pytest.Pytester, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"loky": "loky", "distributed": "dask"}[library]
    pytester.makeconftest(f"import sys\nsys.modules[{library!r}] = None")
    pytester.makepyfile(
        BODIES
        + f"""
@pytest.mark.expect_speedup(executor={extra!r}, workers=2, at_least=1.5)
def test_it():
    wait()
"""
    )
    result = pytester.runpytest_subprocess(*ALONE, "-rs")
    result.assert_outcomes(skipped=1)
    assert f'pip install "pytest-concurrency-perf[{extra}]"' in text_of(result)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a fork is what loses threads")
def test_a_pool_of_threads_that_the_first_call_used_works_in_made_processes(pytester: pytest.Pytester) -> None:
    """Forked after that call, workers would have the pool without its threads, and wait for them without end."""
    result = run(
        pytester,
        """
POOL = ThreadPoolExecutor(3)

@pytest.mark.expect_speedup(executor=ProcessPoolExecutor, workers=4, at_least=2, undecided="pass")
def test_it():
    POOL.submit(time.sleep, 0.01).result()
""",
    )
    result.assert_outcomes(passed=1)
