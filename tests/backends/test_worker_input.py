"""What each worker has to itself: its number, its folder, its fresh input, in every backend."""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from conftest import ALONE, text_of

from pytest_concurrency.backends.batch import current_input
from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.core.model import Body
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.measurement.worker_bench import WorkerBench

PLACES = [
    "threads=2",
    "processes=2",
    "executor=ThreadPoolExecutor, workers=2",
    "executor=ProcessPoolExecutor, workers=2",
]
if sys.version_info >= (3, 14):
    PLACES.append("interpreters=2")
HEAD = """
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
import asyncio, os, pathlib, time
import pytest
"""


def run(pytester: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    pytester.makepyfile(HEAD + source)
    return pytester.runpytest_subprocess(*ALONE, *arguments)


@pytest.mark.parametrize("place", PLACES)
def test_setup_makes_new_input_outside_of_the_timed_part(pytester: pytest.Pytester, place: str) -> None:
    """Making it takes five times as long as the body does; an input that was used before is seen by its length."""
    result = run(
        pytester,
        f"""
def make():
    time.sleep(0.05)
    return [0]

@pytest.mark.expect_speedup({place}, at_least=1.5, setup=make)
@pytest.mark.expect_io_bound(threads=2, setup=make)
def test_it(concurrency_worker):
    fresh = concurrency_worker.input
    assert fresh == [0]
    fresh.append(concurrency_worker.index)
    time.sleep(0.01)
    del fresh[1:]
""",
        "--concurrency-report=json:out.json",
    )
    result.assert_outcomes(passed=1)
    (record,) = json.loads((pytester.path / "out.json").read_text())["records"]
    # The time that a worker slept, whatever else the machine did.
    assert all(arm["blocked"][0] < 0.05 * arm["workers"] for arm in record["arms"])


@pytest.mark.parametrize("place", PLACES)
def test_full_collections_wait_for_the_end_of_a_batch(pytester: pytest.Pytester, place: str) -> None:
    result = run(
        pytester,
        f"""
import gc

@pytest.mark.expect_speedup({place}, at_least=1.5)
@pytest.mark.expect_io_bound(threads=2)
def test_it(concurrency_worker):
    if concurrency_worker.backend != "serial":
        wait()

def wait():
    if gc.get_threshold()[2] < 1_000_000:
        raise RuntimeError("a full collection may start here")
    time.sleep(0.01)

def test_callables(concurrency):
    assert concurrency.speedup(wait, threads=2) >= 1.5

def test_afterwards():
    assert gc.get_threshold()[2] < 1_000_000
""",
    )
    result.assert_outcomes(passed=3)


def test_an_input_does_not_reach_a_later_test(pytester: pytest.Pytester) -> None:
    source = """
SEEN = []

@pytest.mark.expect_io_bound(setup=lambda: "of the first test")
def test_first(concurrency_worker):
    SEEN.append(concurrency_worker.input)

def test_later(concurrency_worker):
    assert SEEN == ["of the first test"]
    assert concurrency_worker.input is None
"""
    run(pytester, source, "--concurrency-disable").assert_outcomes(passed=2)


def test_setup_of_tasks(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
def make():
    return object()

SEEN = set()

@pytest.mark.expect_speedup(tasks=3, at_least=2, setup=make)
async def test_it(concurrency_worker):
    assert concurrency_worker.input is not None
    SEEN.add(id(concurrency_worker.input))
    await asyncio.sleep(0.01)

def test_each_task_had_its_own():
    assert len(SEEN) >= 3
""",
    )
    result.assert_outcomes(passed=2)


def test_the_fixture_hands_the_input_to_the_function(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
def nap(fresh, seconds):
    assert fresh == {"a": 1}
    time.sleep(seconds)

def test_it(concurrency):
    assert concurrency.speedup(nap, 0.01, threads=2, setup=lambda: {"a": 1}) >= 1.6
    assert concurrency.bound(nap, 0.01, setup=lambda: {"a": 1}) == "io"
    assert concurrency.measure(nap, 0.01, processes=2, setup=lambda: {"a": 1}).rounds
""",
    )
    result.assert_outcomes(passed=1)


def test_disabled_the_input_is_still_made(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.expect_speedup(threads=2, at_least=1.5, setup=lambda: 7)
def test_marker(concurrency_worker):
    assert concurrency_worker.input == 7

def test_fixture(concurrency):
    def body(fresh):
        assert fresh == 7
    assert concurrency.speedup(body, threads=2, setup=lambda: 7) >= 1.5
""",
        "--concurrency-disable",
    )
    result.assert_outcomes(passed=2)


def test_an_error_in_setup_is_the_tests(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
COUNT = []

def make():
    COUNT.append(1)
    if len(COUNT) > 3:
        raise OSError("no more input")

@pytest.mark.expect_speedup(threads=2, at_least=1.5, setup=make)
def test_it():
    time.sleep(0.01)
""",
    )
    result.assert_outcomes(failed=1)
    assert "OSError: no more input" in text_of(result)


def test_each_input_of_calls_that_vary_is_used_once() -> None:
    """Calls between the rounds got one input for two of them."""

    def work() -> None:
        time.sleep(current_input().pop())

    body = Body(work, prepare=lambda: [0.002])
    setup = WorkerSetup("threads", 2)
    environment = WorkerEnvironment(Path.cwd(), "fork")
    with closing(WorkerBench(body, environment, patience=20.0, expected=1.0)) as bench:
        bench.round(setup)
        bench.one_call(setup, 3)
        for _ in range(8):
            bench.stagger(setup, 2)
            assert bench.round(setup).serial.loops == 1


def test_body_that_uses_up_its_input_gets_a_hint(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.expect_speedup(threads=2, at_least=1.5, setup=lambda: [1])
def test_it(concurrency_worker):
    concurrency_worker.input.pop()
    time.sleep(0.001)
""",
    )
    result.assert_outcomes(failed=1)
    assert "IndexError: pop from empty list" in text_of(result)
    assert "each worker calls the body" in text_of(result)
    assert "let it work on a copy" in text_of(result)


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        ("@pytest.mark.expect_speedup(threads=2, at_least=1.5, setup=3)", "setup must be a plain function"),
        ("@pytest.mark.expect_io_bound(setup=lambda size: [0] * size)", "is called without arguments"),
        (
            "@pytest.mark.expect_io_bound(setup=list)\n@pytest.mark.expect_cpu_bound(setup=dict)",
            "setup= names different functions in different markers, dict and list",
        ),
    ],
)
def test_bad_setup_is_an_error(pytester: pytest.Pytester, marks: str, said: str) -> None:
    result = run(pytester, f"{marks}\ndef test_it():\n    pass\n")
    result.assert_outcomes(errors=1)
    assert said in text_of(result)


@pytest.mark.parametrize("place", PLACES)
def test_each_worker_has_a_folder(pytester: pytest.Pytester, place: str) -> None:
    result = run(
        pytester,
        f"""
@pytest.mark.expect_speedup({place}, at_least=1.5)
def test_it(concurrency_tmp_path, tmp_path):
    (concurrency_tmp_path / "mine.txt").write_text("x")
    assert pathlib.Path(concurrency_tmp_path).parent == tmp_path
    time.sleep(0.01)
""",
        "--basetemp=base",
    )
    result.assert_outcomes(passed=1)
    folders = {path.parent.name for path in Path(pytester.path, "base").rglob("mine.txt")}
    assert len(folders) == 3  # the plain first call's, and two workers'
