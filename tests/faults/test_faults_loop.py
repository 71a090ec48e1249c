"""Bodies that stop, close or crowd the event loop that they run on, and exceptions that only the loop hears of."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import threading
import time
from collections.abc import Callable

import pytest
from conftest import (
    REPORT,
    TASKS,
    Suite,
    assert_next_measured,
    assert_one_pays,
    body,
    next_body,
    records_of,
    text_of,
)

from pytest_concurrency.backends.base import Hung, Raised
from pytest_concurrency.backends.event_loops import tasks
from pytest_concurrency.backends.event_loops.tasks import TaskWorkers
from pytest_concurrency.core.errors import WorkerLost
from pytest_concurrency.core.model import Body

LENIENT = 'at_least=1.2, max_time="1us", undecided="pass"'


def fault(statement: str) -> str:
    return body(TASKS, statement) + next_body(TASKS)


def left_by_each_body(statement: str) -> str:
    return f"""
def fail():
    raise KeyError("boom")

async def stubborn():
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

@pytest.mark.expect_speedup(tasks=4, {LENIENT})
async def test_body():
    await asyncio.sleep(0.004)
    {statement}
    await asyncio.sleep(0)
""" + next_body(TASKS)


def test_closing_the_running_loop_is_the_bodys_own_error(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(fault("asyncio.get_running_loop().close()"), REPORT, "-W", "error")
    text = assert_one_pays(result, pytester)
    assert "RuntimeError: Cannot close a running event loop" in text
    assert "while measuring: tasks worker 3 of 4, warming up" in text


def test_the_loop_is_stopped(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(fault("asyncio.get_running_loop().stop(); await asyncio.sleep(1)"), REPORT, "-W", "error")
    text = assert_one_pays(result, pytester)
    assert "tasks: the body stopped its event loop" in text
    assert "while measuring: 4 tasks, warming up" in text
    assert "tasks.py" not in text, "the plugin's own code is shown"


def test_the_loop_is_stopped_and_closed(suite: Suite, pytester: pytest.Pytester) -> None:
    """From another thread, as soon as it stands still."""
    result = suite(
        """
def close_when_idle(loop):
    while loop.is_running():
        time.sleep(0.0001)
    try:
        loop.close()
    except (RuntimeError, AttributeError, ValueError):
        pass  # it runs again already, to be cleared; or is being closed
"""
        + fault(
            "loop = asyncio.get_running_loop(); threading.Thread(target=close_when_idle, args=(loop,)).start(); "
            "loop.stop(); await asyncio.sleep(1)"
        ),
        REPORT,
    )
    assert "tasks: the body stopped its event loop" in assert_one_pays(result, pytester)


def test_the_loop_is_closed_between_batches() -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def body() -> None:
        loops.append(asyncio.get_running_loop())

    group = TaskWorkers(Body(body, is_async=True), 1)
    try:
        group.run(1, 1, 10.0)
        loops[0].close()
        with pytest.raises(Raised) as raised:
            group.run(1, 1, 10.0)
        assert isinstance(raised.value.error, WorkerLost)
        assert "tasks: the event loop was closed between two batches" in str(raised.value.error)
    finally:
        group.close()


@pytest.fixture
def told_later(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """What a garbage collection tells, in whichever test it happens."""

    def collect() -> str:
        unraisable: list[object] = []
        with monkeypatch.context() as patched:
            patched.setattr(sys, "unraisablehook", unraisable.append)
            gc.collect()
        return "\n".join([caplog.text, *map(str, unraisable)]).strip()

    collect()  # what tests before this one have left is theirs
    caplog.clear()
    return collect


def test_what_a_closed_loop_leaves_is_not_reported_in_another_test(told_later: Callable[[], str]) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def body() -> None:
        loops.append(asyncio.get_running_loop())
        loops[0].stop()
        await asyncio.sleep(1)

    group = TaskWorkers(Body(body, is_async=True), 2)
    with pytest.raises(Raised, match="the body stopped its event loop"):
        group.run(2, 1, 10.0)
    loops[0].close()
    group.close()
    del group
    assert told_later() == ""


def test_what_refuses_to_be_cancelled_is_not_reported_in_another_test(
    told_later: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "CANCEL", 0.1)

    async def refuse() -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)

    async def body() -> None:
        asyncio.ensure_future(refuse())  # noqa: RUF006  # no one keeps it
        await asyncio.sleep(0)

    group = TaskWorkers(Body(body, is_async=True), 2)
    group.run(2, 1, 10.0)
    group.close()
    del group
    assert told_later() == ""


def test_a_loop_whose_batch_hangs_is_closed_when_that_ends(told_later: Callable[[], str]) -> None:
    loops: list[asyncio.AbstractEventLoop] = []
    go_on = threading.Event()

    async def body() -> None:
        loops.append(asyncio.get_running_loop())
        go_on.wait(60)

    group = TaskWorkers(Body(body, is_async=True), 1)
    with pytest.raises(Hung):
        group.run(1, 1, 0.1)
    group.close()
    assert not loops[0].is_closed()
    go_on.set()
    end = time.monotonic() + 30
    while not loops[0].is_closed() and time.monotonic() < end:
        time.sleep(0.01)
    assert loops.pop().is_closed()
    del group
    assert told_later() == ""


@pytest.mark.parametrize(
    "statement",
    ["asyncio.create_task(asyncio.sleep(60))", "asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.001)"],
    ids=["task", "executor"],
)
def test_pending_tasks_are_cleared_away(suite: Suite, pytester: pytest.Pytester, statement: str) -> None:
    result = suite(left_by_each_body(statement), REPORT, "-W", "error")
    result.assert_outcomes(passed=3)
    assert_next_measured(pytester)
    assert records_of(pytester)["test_body"]["expectations"][0]["rounds"] >= 2
    assert "destroyed" not in text_of(result)


def test_tasks_that_refuse_to_be_cancelled(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(left_by_each_body("asyncio.create_task(stubborn())"), REPORT, "-W", "error")
    result.assert_outcomes(passed=3)
    assert_next_measured(pytester)


CALLBACK = left_by_each_body("asyncio.get_running_loop().call_soon(fail)")


def test_an_exception_in_a_callback_is_reported_as_a_warning(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(CALLBACK, REPORT, "-W", "default")
    result.assert_outcomes(passed=3, warnings=1)
    assert_next_measured(pytester)
    text = text_of(result)
    assert (
        "RuntimeWarning: while measuring 4 tasks, asyncio's event loop reported: Exception in callback fail()" in text
    )
    assert "KeyError('boom')" in text
    assert 'raise KeyError("boom")' in text, "the warning is not told at the line that raises"


def test_an_exception_in_a_callback_where_warnings_are_errors(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(CALLBACK, REPORT, "-W", "error")
    text = assert_one_pays(result, pytester)
    assert "RuntimeWarning: while measuring 4 tasks" in text
    assert "while measuring: 4 tasks, warming up" in text
    assert "tasks.py" not in text, "the plugin's own code is shown"


def test_a_lock_of_the_module_outlives_the_confirmation(suite: Suite) -> None:
    """It belongs to the loop that it was first waited for on, which stays the same in every round."""
    result = suite(
        """
LOCK = asyncio.Lock()

@pytest.mark.expect_speedup(tasks=4, at_least=3)
async def test_it():
    async with LOCK:
        await asyncio.sleep(0.005)
"""
    )
    text = text_of(result)
    assert "different event loop" not in text
    assert "4 tasks were 1.0" in text
