"""Whether an answer is used, seen from the code that asks; and what an answer is."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Generator
from types import FrameType
from typing import Any

import pytest

from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.session.calls.answers import Decided, Pending, is_discarded

SEEN: list[bool] = []


class Asked:
    def __ge__(self, other: object) -> bool:
        SEEN.append(is_discarded(sys._getframe(1)))
        return True

    def at_least(self, threshold: int = 0) -> Awaited:
        SEEN.append(is_discarded(sys._getframe(1)))
        return Awaited()


class Awaited:
    def __await__(self) -> Generator[Any, Any, bool]:
        SEEN.append(is_discarded(sys._getframe(1)))
        yield from asyncio.sleep(0.001).__await__()  # so that the await is gone through more than once
        return True


# The statement, and of each call and await whether its answer is dropped.
STATEMENTS = {
    "asked >= 3": [True],
    "assert asked >= 3": [False],
    "kept = asked >= 3": [False],
    "asked.at_least(3)": [True],
    "asked.at_least(threshold=3)": [True],
    "assert asked.at_least(3)": [False],
    "assert not asked.at_least(3) or True": [False],
    "kept = asked.at_least(3)": [False],
    "if asked.at_least(3): pass": [False],
    "await asked.at_least(3)": [False, True],
    "await asked.at_least(threshold=3)": [False, True],
    "assert await asked.at_least(3)": [False, False],
    "assert not await asked.at_least(3) or True": [False, False],
    "kept = await asked.at_least(3)": [False, False],
    "return await asked.at_least(3)": [False, False],
    "with context: await asked.at_least(3)": [False, True],
    "try: await asked.at_least(3)\n    finally: pass": [False, True],
    "await asyncio.gather(asked.at_least(1), asked.at_least(2))": [False, False, False, False],
}


@pytest.mark.parametrize(("statement", "dropped"), STATEMENTS.items())
def test_unused_answers_are_seen(statement: str, dropped: list[bool]) -> None:
    space: dict[str, Any] = {"asked": Asked(), "asyncio": asyncio, "context": contextlib.nullcontext()}
    exec(f"async def run():\n    {statement}\n", space)
    SEEN.clear()
    asyncio.run(space["run"]())
    assert dropped == SEEN


@pytest.mark.parametrize("holds", [True, False])
def test_a_decided_answer_is_its_truth(holds: bool) -> None:
    answer = Decided(holds, "<speedup 2.00x> is at least 2")
    assert bool(answer) is holds
    assert answer == holds
    assert answer == Decided(holds, "another")
    assert answer != (not holds)
    assert hash(answer) == hash(holds)
    assert repr(answer) == "<speedup 2.00x> is at least 2"


def test_a_pending_answer_has_no_truth() -> None:
    async def ask(frame: FrameType) -> Decided:
        return Decided(True, "shown")

    refused: list[int] = []
    answer = Pending("concurrency.speedup(get, ...).at_least(2)", ask, lambda: refused.append(1))
    with pytest.raises(BadArgument, match=r"write\sassert\sawait\sconcurrency\.speedup\(get,\s\.\.\.\)\.at_least\(2\)"):
        bool(answer)
    assert refused == [1]
    assert "not measured yet" in repr(answer)

    async def test() -> bool:
        return bool(await answer)

    assert asyncio.run(test())


def test_a_plain_function_is_nothing_to_await() -> None:
    async def test() -> None:
        await Decided(True, "shown", plain="parse")

    with pytest.raises(BadArgument, match=r"there\sis\snothing\sto\sawait:\sparse\sis\sa\splain\sfunction"):
        asyncio.run(test())
