"""Calls that have only begun their work, or not even that: nothing was measured, which must not read as a speedup."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from pytest_concurrency.backends.lazy_results import refuse_lazy
from pytest_concurrency.core.errors import BadArgument

MADE_IN = 0.00001  # seconds


async def work() -> None:
    pass


def numbers() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (work, "work() returned a coroutine"),
        (numbers, "a generator after"),
        (lambda: (number for number in (1, 2)), "a generator"),
        (lambda: map(abs, (1, 2)), "a map object"),
        (lambda: filter(None, (1, 2)), "a filter object"),
        (lambda: zip((1, 2), (3, 4), strict=True), "a zip object"),
        (lambda: [work(), work()], "coroutines after"),
        (Future, "a future that is not done"),
    ],
)
def test_a_result_that_has_done_nothing_is_refused(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(BadArgument) as raised:
        refuse_lazy(make(), MADE_IN)
    assert said in raised.value.why
    assert "nothing was measured" in raised.value.why or "before its work was done" in raised.value.why


def test_a_task_that_is_not_done_is_refused() -> None:
    async def test() -> None:
        task = asyncio.ensure_future(work())
        with pytest.raises(BadArgument, match="task"):
            refuse_lazy(task, MADE_IN)
        await task
        refuse_lazy(task, MADE_IN)

    asyncio.run(test())


@pytest.mark.parametrize("answer", [None, 1, "text", [1, 2], [], (), {}, iter([1]), range(3)])
def test_other_results_are_accepted(answer: object) -> None:
    refuse_lazy(answer, MADE_IN)


def test_a_call_that_took_time_has_worked_before_it_returned() -> None:
    refuse_lazy(map(abs, (1, 2)), 0.01)


def test_a_future_that_is_done_is_accepted() -> None:
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(abs, -1)
        future.result()
    refuse_lazy(future, MADE_IN)
