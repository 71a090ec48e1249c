"""The instruments in async tests that other plugins run, on the test's own loop and with a server in it."""

from __future__ import annotations

import pytest
from conftest import Suite, assert_outcome, text_of

ASYNCIO = ("-p", "pytest_asyncio.plugin", "-o", "asyncio_default_fixture_loop_scope=function")

SERVER = """
@pytest.mark.asyncio
async def test_requests_meet_in_the_server(concurrency):
    meeting = concurrency.in_flight(meet=3)
    calls = concurrency.watch("asyncio.streams:StreamReader.readline")

    async def answer(reader, writer):
        await reader.readline()
        async with meeting:
            writer.write(b"pong\\n")
            await writer.drain()
        writer.close()

    async def ask(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"ping\\n")
        assert await reader.readline() == b"pong\\n"
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server, concurrency.nonblocking("5s"):
        port = server.sockets[0].getsockname()[1]
        await asyncio.gather(*(ask(port) for _ in range(3)))
    assert meeting.peak == 3
    assert calls.peak >= 3

@pytest.mark.asyncio
async def test_one_after_the_other(concurrency):
    meeting = concurrency.in_flight(meet=2, timeout="0.2s")
    for _ in range(2):
        async with meeting:
            pass

@pytest.mark.asyncio
async def test_blocks(concurrency):
    async with concurrency.nonblocking("20ms"):
        time.sleep(0.5)
"""
TRIO = """
import trio

@pytest.fixture
def anyio_backend():
    return "trio"

async def enter(meeting):
    async with meeting:
        await trio.sleep(0)

@pytest.mark.anyio
async def test_tasks_meet(concurrency):
    meeting = concurrency.in_flight(meet=2)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(enter, meeting)
        nursery.start_soon(trio.to_thread.run_sync, use, meeting)
    assert meeting.met

def use(meeting):
    with meeting:
        pass

@pytest.mark.anyio
async def test_blocks(concurrency):
    async with concurrency.nonblocking("20ms"):
        time.sleep(0.5)
"""


def test_on_the_loop_of_pytest_asyncio(suite: Suite) -> None:
    pytest.importorskip("pytest_asyncio")
    result = suite(SERVER, *ASYNCIO)
    assert_outcome(result, "test_requests_meet_in_the_server", "PASSED")
    assert_outcome(result, "test_one_after_the_other", "FAILED")
    assert_outcome(result, "test_blocks", "FAILED")
    assert "at most 1 of 2 was inside" in text_of(result)
    assert "in test_blocks: time.sleep(0.5)" in text_of(result)


def test_on_trio_by_way_of_anyio(suite: Suite) -> None:
    pytest.importorskip("anyio")
    pytest.importorskip("trio")
    result = suite(TRIO, "-p", "anyio.pytest_plugin")
    assert_outcome(result, "test_tasks_meet", "PASSED")
    assert_outcome(result, "test_blocks", "FAILED")
    assert "in test_blocks: time.sleep(0.5)" in text_of(result)
