"""httpx with asyncio: tasks share one client, and its pool of connections limits the speedup."""

from __future__ import annotations

import pytest

httpx = pytest.importorskip("httpx")


def client_of(connections: int):
    return httpx.AsyncClient(limits=httpx.Limits(max_connections=connections), timeout=10)


async def test_three_connections_serve_three_tasks(concurrency, pages):
    async with client_of(connections=3) as client:
        assert await concurrency.speedup(client.get, pages[0], tasks=3).at_least(2)


async def test_one_connection_serializes_three_tasks(concurrency, pages):
    async with client_of(connections=1) as client:
        assert await concurrency.bound(client.get, pages[0], tasks=3) == "serialized"


async def test_request_leaves_the_event_loop_free(concurrency, pages):
    async with client_of(connections=3) as client, concurrency.nonblocking("50ms"):
        await client.get(pages[0])
