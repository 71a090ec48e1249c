"""asyncio: one thread, and many waits at a time. An ``async def`` body needs no other plugin."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

import pytest


async def fetch(url: str) -> str:
    """Fetch a page with nothing but asyncio's own streams."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"GET {parts.path} HTTP/1.0\r\nHost: {parts.hostname}\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.decode().partition("\r\n\r\n")[2]


@pytest.mark.expect_io_bound
async def test_fetching_is_io_bound(pages):
    assert await fetch(pages[0]) == "this is /one\n"


@pytest.mark.expect_speedup(tasks=3, at_least=2)
async def test_tasks_fetch_three_pages_in_the_time_of_one(pages, concurrency_worker):
    await fetch(pages[concurrency_worker.index % 3])


@pytest.mark.expect_speedup(tasks=3, at_least=2)
async def test_to_thread_lets_blocking_calls_overlap():
    await asyncio.to_thread(time.sleep, 0.02)


# A common mistake: a blocking call stops every other task, so nothing overlaps.
@pytest.mark.expect_speedup(tasks=3, at_most=1.3)
async def test_a_blocking_call_stops_all_tasks():
    time.sleep(0.01)
