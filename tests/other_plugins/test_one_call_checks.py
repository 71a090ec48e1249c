"""Plugins that check or time one plain call of a test: blockbuster, pyleak, pytest-memray, pytest-codspeed."""

from __future__ import annotations

import pytest
from conftest import REPORT, Suite, assert_outcome, plugin, records_of, text_of

ASYNCIO = ("--asyncio-mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")

GUARDED = """
from blockbuster import blockbuster_ctx
pytestmark = pytest.mark.asyncio

@pytest.fixture(autouse=True)
def blockbuster():
    with blockbuster_ctx() as found:
        yield found

@pytest.mark.expect_speedup(tasks=4, at_least=2)
@pytest.mark.expect_nonblocking
async def test_waits():
    await asyncio.sleep(0.005)

@pytest.mark.expect_io_bound
async def test_reads():
    await asyncio.sleep(0.005)
    open(__file__).read()

async def test_asks(concurrency):
    assert await concurrency.speedup(asyncio.sleep, 0.005, tasks=4).at_least(2)
    assert concurrency.speedup(sleep, threads=4) >= 2

def sleep():
    time.sleep(0.004)

async def test_instruments(concurrency):
    meeting = concurrency.in_flight(meet=2)
    calls = concurrency.watch("asyncio.tasks:sleep")

    async def enter():
        async with meeting:
            await asyncio.sleep(0.01)

    async with concurrency.nonblocking("5s"):
        await asyncio.gather(enter(), enter())
    calls.trace("trace.json")
    assert calls.peak == 2

async def test_blocks_as_any_test(concurrency):
    time.sleep(0.01)
"""
LEAKS = """
pytestmark = pytest.mark.no_leaks

@pytest.mark.expect_speedup(threads=4, at_least=2)
def test_threads():
    time.sleep(0.004)

@pytest.mark.expect_io_bound
async def test_tasks():
    await asyncio.sleep(0.005)

def test_asks(concurrency):
    assert concurrency.speedup(time.sleep, 0.004, threads=4) >= 2
"""
MEMORY = """
@pytest.mark.limit_memory("1 KB")
@pytest.mark.expect_speedup(threads=4, at_least=2)
def test_body():
    memory = bytearray(10_000_000)

@pytest.mark.limit_memory("50 MB")
def test_asks(concurrency):
    assert concurrency.speedup(time.sleep, 0.004, threads=4) >= 2

@pytest.mark.expect_speedup(threads=4, at_least=2)
def test_waits():
    time.sleep(0.004)
"""
TIMED = """
@pytest.mark.benchmark
@pytest.mark.expect_speedup(threads=4, at_least=2)
def test_body():
    time.sleep(0.004)

@pytest.mark.codspeed_benchmark
def test_asks(concurrency):
    assert concurrency.speedup(time.sleep, 0.004, threads=4) >= 2
"""


def test_blockbuster_passes_the_readings_and_not_the_body(suite: Suite) -> None:
    pytest.importorskip("blockbuster")
    result = suite(GUARDED, *plugin("asyncio"), *ASYNCIO, subprocess=True)
    for name in ("test_waits", "test_asks", "test_instruments"):
        assert_outcome(result, name, "PASSED")
    assert_outcome(result, "test_reads", "FAILED")
    assert_outcome(result, "test_blocks_as_any_test", "FAILED")
    text = text_of(result)
    assert "Blocking call to io.TextIOWrapper.read" in text
    assert "Blocking call to time.sleep" in text


def test_blockbuster_works_with_the_guard_of_all_loops(suite: Suite) -> None:
    pytest.importorskip("blockbuster")
    options = (*plugin("asyncio"), *ASYNCIO, "--concurrency-max-block=5s", "-k", "instruments or other")
    result = suite(GUARDED, *options, subprocess=True)
    result.assert_outcomes(passed=2, deselected=4)


def test_pyleak_on_a_measured_body_is_an_error(suite: Suite) -> None:
    options = (*plugin("pyleak"), "-W", "ignore::pytest.PytestUnknownMarkWarning")
    result = suite(LEAKS, *options, subprocess=True)
    result.assert_outcomes(errors=2, passed=2)
    assert "its marker no_leaks is about one plain call of the test, and pyleak does not see" in text_of(result)


def test_a_memory_limit_on_a_measured_body_is_an_error(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(MEMORY, *plugin("memray"), REPORT, subprocess=True)
    result.assert_outcomes(errors=1, passed=3)
    text = text_of(result)
    assert "its marker limit_memory is about one plain call of the test" in text
    assert "Write two tests that call the same function" in text
    traced = {name: record["traced_by"] for name, record in records_of(pytester).items()}
    assert traced == {"test_asks": ["memray"], "test_waits": []}


def test_a_memory_limit_counts_where_nothing_is_measured(suite: Suite) -> None:
    result = suite(MEMORY, *plugin("memray"), "--concurrency-disable", subprocess=True)
    assert_outcome(result, "test_body", "MEMORY PROBLEMS")
    assert_outcome(result, "test_asks", "PASSED")


def test_codspeed_does_not_time_the_measurement(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(TIMED, *plugin("codspeed"), "--codspeed", subprocess=True)
    result.assert_outcomes(errors=2, deselected=1)
    text = text_of(result)
    assert "its marker benchmark lets pytest-codspeed repeat the test and time the whole measurement" in text
    assert "Add --concurrency-disable to the command that has --codspeed" in text


def test_codspeed_without_its_option_changes_nothing(suite: Suite) -> None:
    result = suite(TIMED, *plugin("codspeed"), subprocess=True)
    result.assert_outcomes(passed=3)


def test_codspeed_times_bodies_where_nothing_is_measured(suite: Suite) -> None:
    options = (*plugin("codspeed"), "--codspeed", "--codspeed-max-time=0.1", "--codspeed-warmup-time=0")
    result = suite(TIMED, *options, "--concurrency-disable", subprocess=True)
    result.assert_outcomes(passed=2, deselected=1)
