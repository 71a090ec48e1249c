"""Batches on the event loop of an async plugin: whose thread it is, and what comes of a batch that is too late."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import closing

import pytest

from pytest_concurrency.backends.base import Hung, WorkerGroup
from pytest_concurrency.backends.event_loops.borrowed_loop import BorrowedAsyncioLoop, BorrowedLoop, BorrowedLoopWorker
from pytest_concurrency.backends.event_loops.tasks import TaskWorkers
from pytest_concurrency.core.model import Body


async def body() -> None:
    pass


def beside_asyncio(use: Callable[[BorrowedLoop], None]) -> None:
    async def test() -> None:
        loop = BorrowedAsyncioLoop()
        await loop.serve(lambda: use(loop))

    asyncio.run(test())


def beside_trio(use: Callable[[BorrowedLoop], None]) -> None:
    trio = pytest.importorskip("trio")
    from pytest_concurrency.backends.event_loops.trio_loop import BorrowedTrioLoop

    async def test() -> None:
        loop = BorrowedTrioLoop()
        await loop.serve(lambda: use(loop))

    trio.run(test)


def workers_of_asyncio(loop: BorrowedLoop) -> WorkerGroup:
    return TaskWorkers(Body(body, is_async=True), 2, loop)


def workers_of_trio(loop: BorrowedLoop) -> WorkerGroup:
    from pytest_concurrency.backends.event_loops.trio_loop import TrioWorkers

    return TrioWorkers(Body(body, is_async=True), loop)


@pytest.mark.parametrize(
    ("beside", "workers"),
    [(beside_asyncio, workers_of_asyncio), (beside_trio, workers_of_trio)],
    ids=["asyncio", "trio"],
)
def test_the_thread_of_the_loop_is_that_of_its_workers(
    beside: Callable[[Callable[[BorrowedLoop], None]], None], workers: Callable[[BorrowedLoop], WorkerGroup]
) -> None:
    """Without it, they would never get a higher priority."""
    found: list[int] = []

    def use(loop: BorrowedLoop) -> None:
        with closing(workers(loop)) as group:
            group.run(2, 1, 10.0)
            found.extend(group.native_ids)

    beside(use)
    assert found == [threading.get_native_id()]


def test_a_batch_that_was_given_up_does_not_begin_later() -> None:
    ran: list[str] = []

    async def job() -> None:
        ran.append("given up")

    async def last() -> None:
        ran.append("last")

    def use(loop: BorrowedLoop) -> None:
        worker = BorrowedLoopWorker(loop, {"body": job, "last": last})
        blocked, go_on = threading.Event(), threading.Event()
        loop._call_soon(lambda: (blocked.set(), go_on.wait(60)))
        blocked.wait(60)
        with pytest.raises(Hung):
            worker.run(1, 1, 0.05)
        worker.recover(0.05)
        go_on.set()
        worker.run(1, 1, 60.0, "last")

    beside_asyncio(use)
    assert ran == ["last"]
