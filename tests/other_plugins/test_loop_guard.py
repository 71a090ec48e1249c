"""``--concurrency-max-block`` beside the plugins that run async tests; blocks last many times what is allowed."""

from __future__ import annotations

import pytest
from conftest import Suite, assert_other_passed, assert_outcome, text_of

GUARD = "--concurrency-max-block=50ms"
TESTS = """
def render():
    time.sleep(0.6)

{mark}
async def test_blocks():
    render()

{mark}
async def test_waits():
    await {wait}(0.6)

@pytest.mark.concurrency_allow_blocking("no async driver")
{mark}
async def test_exempt():
    render()

{mark}
async def test_paused(concurrency):
    with concurrency.pause():
        render()

{mark}
async def test_measures(concurrency):
    assert concurrency.measure(time.sleep, 0.02, threads=2)
    assert concurrency.speedup(time.sleep, 0.02, threads=2, undecided="pass") >= 1.2

async def handler():
    time.sleep(0.06)

{mark}
async def test_measures_a_block(concurrency):
    assert await concurrency.loop_block(handler, undecided="pass").at_most("900ms")
"""
ASYNCIO = ("-p", "pytest_asyncio.plugin", "-o", "asyncio_default_fixture_loop_scope=function")
RUNNERS = {
    "pytest-asyncio": ("@pytest.mark.asyncio", "asyncio.sleep", "", ASYNCIO),
    "anyio-asyncio": ("@pytest.mark.anyio", "anyio.sleep", "'asyncio'", ("-p", "anyio.pytest_plugin")),
    "anyio-uvloop": (
        "@pytest.mark.anyio",
        "anyio.sleep",
        "('asyncio', {'use_uvloop': True})",
        ("-p", "anyio.pytest_plugin"),
    ),
    "anyio-trio": ("@pytest.mark.anyio", "anyio.sleep", "'trio'", ("-p", "anyio.pytest_plugin")),
}


@pytest.mark.parametrize("runner", RUNNERS)
def test_each_runner(suite: Suite, runner: str) -> None:
    mark, wait, backend, options = RUNNERS[runner]
    for module in {"asyncio": ["pytest_asyncio"], "'trio'": ["anyio", "trio"]}.get(backend or "asyncio", ["anyio"]):
        pytest.importorskip(module)
    if "uvloop" in runner:
        pytest.importorskip("uvloop")
    head = f"import anyio\n@pytest.fixture\ndef anyio_backend():\n    return {backend}\n" if backend else ""
    result = suite(head + TESTS.format(mark=mark, wait=wait), *options, GUARD, "--strict-markers")
    assert_outcome(result, "test_blocks", "FAILED")
    for name in ("test_waits", "test_exempt", "test_paused", "test_measures", "test_measures_a_block"):
        assert_outcome(result, name, "PASSED")
    text = text_of(result)
    assert "in render: time.sleep(0.6)" in text
    assert "required: at most 50 ms (--concurrency-max-block)" in text
    assert "blocks of the event loop above 50 ms" in text
    assert "2 times in 2 tests test_suite.py" in text
    assert "allowed: no async driver" in text
    assert_other_passed(result)


ALONE = """
def test_blocks():
    async def main():
        time.sleep(0.6)
    asyncio.run(main())

def test_waits():
    asyncio.run(asyncio.sleep(0.6))
    time.sleep(0.6)
"""


def test_loops_that_tests_run_themselves(suite: Suite) -> None:
    result = suite(ALONE, GUARD)
    assert_outcome(result, "test_blocks", "FAILED")
    assert_outcome(result, "test_waits", "PASSED")


def test_marked_tests_run_once_under_disable(suite: Suite) -> None:
    source = "@pytest.mark.expect_io_bound\nasync def test_body():\n    time.sleep(0.6)\n"
    assert_outcome(suite(source, GUARD, "--concurrency-disable"), "test_body", "FAILED")


def test_warn_fails_nothing(suite: Suite) -> None:
    result = suite(ALONE, GUARD, "--concurrency-max-block-warn", "-W", "default")
    assert_outcome(result, "test_blocks", "PASSED")
    assert "PytestWarning: the event loop was blocked for" in text_of(result)


def test_ini_keys(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nconcurrency_max_block = 50ms\nconcurrency_max_block_allow =\n    test_s*.py:*in main\n")
    result = suite(ALONE)
    assert_outcome(result, "test_blocks", "PASSED")
    assert "allowed: test_s*.py:*in main" in text_of(result)


def test_body_error_stays_what_is_shown(suite: Suite) -> None:
    result = suite(ALONE.replace("time.sleep(0.6)\n", "time.sleep(0.6)\n        raise OSError\n", 1), GUARD)
    assert "OSError" in text_of(result)
    assert "could not run" not in text_of(result)


def test_marker_needs_a_reason(suite: Suite) -> None:
    result = suite("@pytest.mark.concurrency_allow_blocking\ndef test_body():\n    pass\n", GUARD)
    result.assert_outcomes(errors=1, passed=1)
    assert "needs one argument, the reason" in text_of(result)


@pytest.mark.parametrize("value", ["1ms", "soon"])
def test_bad_values_are_usage_errors(suite: Suite, value: str) -> None:
    assert suite("", f"--concurrency-max-block={value}").ret == pytest.ExitCode.USAGE_ERROR


def test_blocks_of_workers_are_listed_by_the_controller(suite: Suite) -> None:
    pytest.importorskip("xdist")
    result = suite(ALONE, GUARD, "-p", "xdist", "-n", "1", subprocess=True)
    result.assert_outcomes(failed=1, passed=2)
    assert "1 time in 1 test test_suite.py" in text_of(result)
