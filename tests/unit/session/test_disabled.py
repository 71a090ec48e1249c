"""The fixture under ``--concurrency-disable``."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pytest_concurrency.session.disabled import PlainConcurrency

PLAIN = PlainConcurrency()


def nothing() -> None:
    pass


@pytest.mark.parametrize(
    "holds",
    [
        lambda found: found >= 3,
        lambda found: found <= 3,
        lambda found: found == "io",
        lambda found: found != "cpu",
        lambda found: found.speedup["threads"].value >= 3,
        lambda found: found.kind == "io",
        lambda found: f"{found:>3}",
    ],
)
def test_every_finding_agrees(holds: Any) -> None:
    assert holds(PLAIN.measure(nothing))


def test_the_opposite_of_a_comparison_may_be_asserted_too() -> None:
    found = PLAIN.speedup(nothing, threads=4)
    assert found >= 2
    assert not found >= 2
    assert not (found <= 2)
    assert not found == 2  # noqa: SIM201
    assert not found > 2, "with a message"
    assert (not found >= 2) is True
    assert bool(found >= 2)
    assert found >= 2 and found <= 3  # noqa: PT018


def test_the_opposite_may_be_asserted_without_pytests_rewriting() -> None:
    source = """
def check(found):
    assert found >= 2
    assert not found >= 2
    assert not found >= 2, "with a message"
    assert found == "io"
    if found >= 2:
        return "yes"
    return "no"
"""
    namespace: dict[str, Any] = {}
    exec(compile(source, "plain", "exec", dont_inherit=True), namespace)
    assert namespace["check"](PLAIN.speedup(nothing, threads=4)) == "yes"


def test_results_that_differ_are_reported_all_the_same() -> None:
    PLAIN.compare(lambda: 1, lambda: 1, same_result=True)
    with pytest.raises(AssertionError, match="return different values: 1 against 2"):
        PLAIN.compare(lambda: 1, lambda: 2, same_result=True)


def test_coroutines_are_run() -> None:
    ran = []

    async def body() -> None:
        await asyncio.sleep(0)
        ran.append(1)

    PLAIN.speedup(body, tasks=2)
    assert ran == [1]


def test_async_functions_run_once_they_are_awaited_on_a_running_loop() -> None:
    ran: list[int] = []

    async def body(number: int) -> int:
        await asyncio.sleep(0)
        ran.append(number)
        return number

    async def measured() -> None:
        assert await PLAIN.speedup(body, 1, tasks=2).at_least(2)
        assert await PLAIN.bound(body, 2) == "io"
        assert await PLAIN.compare(baseline=lambda: body(3), candidate=lambda: body(4)).at_least(2)
        with pytest.raises(AssertionError, match="return different values: 5 against 6"):
            await PLAIN.compare(lambda: body(5), lambda: body(6), same_result=True)

    asyncio.run(measured())
    assert ran == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("name", ["scaling", "gil_hold", "loop_block"])
def test_every_call_has_its_plain_twin(name: str) -> None:
    ran: list[int] = []
    assert getattr(PLAIN, name)(ran.append, 1) <= "5ms"
    assert ran == [1]
