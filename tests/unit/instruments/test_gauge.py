from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_concurrency.instruments.gauge import Gauge


def test_a_block_around_the_workers_says_nothing() -> None:
    gauge = Gauge()
    with gauge, ThreadPoolExecutor(4) as pool:
        list(pool.map(abs, range(8)))
    assert not gauge.says_nothing, "its peak was not asked for"
    assert gauge.peak == 1
    assert gauge.says_nothing


def test_a_block_in_a_worker_says_something_even_if_one_worker_only_gets_there() -> None:
    in_thread, in_task = Gauge(), Gauge()

    def work() -> None:
        with in_thread:
            pass

    async def work_async() -> None:
        async with in_task:
            pass

    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()
    asyncio.run(work_async())
    for gauge in (in_thread, in_task):
        assert gauge.peak == 1
        assert not gauge.says_nothing


def test_a_block_in_a_task_of_trio_says_something() -> None:
    trio = pytest.importorskip("trio")
    gauge = Gauge()

    async def work() -> None:
        async with gauge:
            pass

    trio.run(work)
    assert gauge.peak == 1
    assert not gauge.says_nothing
