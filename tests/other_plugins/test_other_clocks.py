"""Plugins that replace the clock: looptime and Trio's MockClock skip waits, time-machine moves the date."""

from __future__ import annotations

import pytest
from conftest import REPORT, Suite, assert_outcome, plugin, records_of, text_of

ASYNCIO = ("--asyncio-mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")

SKIPPED_WAITS = """
pytestmark = pytest.mark.looptime

@pytest.mark.expect_io_bound
async def test_waits():
    await asyncio.sleep(0.01)

@pytest.mark.expect_cpu_bound
async def test_computes():
    await asyncio.sleep(0.01)

async def test_asks(concurrency):
    assert await concurrency.speedup(asyncio.sleep, 0.01, tasks=4).at_least(2)

@pytest.mark.looptime(False)
@pytest.mark.expect_io_bound
async def test_on_real_time():
    await asyncio.sleep(0.01)

async def test_threads(concurrency):
    assert concurrency.speedup(time.sleep, 0.01, threads=4) >= 2

async def test_meets_later(concurrency):
    meeting = concurrency.in_flight(meet=2, timeout="30s")

    async def enter(later):
        await asyncio.sleep(later)
        async with meeting:
            pass

    await asyncio.gather(enter(0), enter(3))
    assert meeting.peak == 2

async def test_blocks_at_once(concurrency):
    async with concurrency.nonblocking("20ms"):
        time.sleep(0.5)

async def test_waits_for_a_thread(concurrency):
    async with concurrency.nonblocking("20ms"):
        await asyncio.sleep(3600)
        await asyncio.to_thread(time.sleep, 0.3)

async def test_blocks_later(concurrency):
    async with concurrency.nonblocking("20ms"):
        await asyncio.sleep(3600)
        time.sleep(0.5)
"""
MOCK_CLOCK = """
import trio, trio.testing

@pytest.fixture
def anyio_backend():
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}

@pytest.mark.anyio
@pytest.mark.expect_cpu_bound
async def test_body():
    await trio.sleep(0.01)
"""
MOVED = """
import datetime
pytestmark = pytest.mark.time_machine("2020-01-01", tick=False)

@pytest.mark.expect_speedup(threads=4, at_least=2)
def test_threads():
    assert datetime.date.today().year == 2020
    time.sleep(0.004)

@pytest.mark.expect_io_bound
async def test_tasks():
    assert datetime.date.today().year == 2020
    await asyncio.sleep(0.005)

def test_asks(concurrency):
    assert concurrency.speedup(time.sleep, 0.004, threads=4) >= 2

def test_does_not_meet(concurrency):
    with concurrency.in_flight(meet=2, timeout="0.2s"):
        pass
"""


def test_a_loop_that_skips_waits_is_not_measured(suite: Suite, pytester: pytest.Pytester) -> None:
    options = (*plugin("asyncio"), *ASYNCIO, *plugin("looptime_plugin"), REPORT)
    result = suite(SKIPPED_WAITS, *options, subprocess=True)
    refused = ("test_waits", "test_computes", "test_asks")
    for name in refused:
        assert_outcome(result, name, "FAILED")
    text = text_of(result)
    assert text.count("this test cannot be measured on the clock of looptime") >= 3
    assert "Write @pytest.mark.looptime(False) on this test" in text
    assert set(records_of(pytester)) == {"test_on_real_time", "test_threads"}
    for name in ("test_on_real_time", "test_threads", "test_meets_later"):
        assert_outcome(result, name, "PASSED")


def test_blocks_are_seen_where_waits_are_skipped(suite: Suite) -> None:
    options = (*plugin("asyncio"), *ASYNCIO, *plugin("looptime_plugin"), "-k", "block or thread")
    result = suite(SKIPPED_WAITS, *options, subprocess=True)
    for name in ("test_blocks_at_once", "test_blocks_later"):
        assert_outcome(result, name, "FAILED")
        assert f"in {name}: time.sleep(0.5) Try:" in text_of(result)
    assert_outcome(result, "test_waits_for_a_thread", "PASSED")


def test_the_mock_clock_of_trio_is_not_measured(suite: Suite) -> None:
    pytest.importorskip("trio")
    pytest.importorskip("anyio")
    result = suite(MOCK_CLOCK, "-p", "anyio.pytest_plugin")
    result.assert_outcomes(failed=1, passed=1)
    assert "cannot be measured on the clock of trio (MockClock)" in text_of(result)


def test_a_date_that_is_moved_does_not_move_the_clocks(suite: Suite, pytester: pytest.Pytester) -> None:
    options = (*plugin("time_machine"), *plugin("asyncio"), *ASYNCIO, REPORT)
    result = suite(MOVED, *options, subprocess=True)
    result.assert_outcomes(failed=1, passed=4)
    assert "never arrived: 1 of 2 within 200 ms" in text_of(result)
    verdicts = {name: record["expectations"][0]["verdict"] for name, record in records_of(pytester).items()}
    assert verdicts == dict.fromkeys(("test_threads", "test_tasks", "test_asks"), "met")
