"""Drivers of a loop monitor: which waits they tell of, and what they leave behind."""

from __future__ import annotations

import asyncio
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_concurrency.instruments.loop_waits import Driver, driver

BEAT = 0.005


class Heard:
    """A monitor that records what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.due: list[float | None] = []
        self.skips_waits = False

    def waits(self) -> None:
        self.told.append("waits")

    def resumes(self, due: float | None = None) -> None:
        self.told.append("resumes")
        self.due.append(due)

    def beat(self, idle: float) -> None:
        self.told.append(f"beat {idle}")


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def selector_of(loop: Any) -> Any:
    return loop._selector


def started(loop: Any) -> tuple[Heard, Driver]:
    heard = Heard()
    made = driver(heard, BEAT, loop)
    made.start()
    return heard, made


def run(loop: asyncio.AbstractEventLoop, seconds: float = 0.0) -> None:
    loop.run_until_complete(asyncio.sleep(seconds))


def test_each_wait_is_told_with_its_end(loop: asyncio.AbstractEventLoop) -> None:
    heard, made = started(loop)
    before = time.perf_counter()
    run(loop, 0.02)
    made.stop()
    assert heard.told == ["waits", "resumes"] * (len(heard.told) // 2)
    assert any(due is not None and due > before + 0.01 for due in heard.due)


def test_no_timer_wakes_a_loop_that_waits(loop: asyncio.AbstractEventLoop) -> None:
    heard, made = started(loop)
    run(loop, 20 * BEAT)
    made.stop()
    assert len(heard.told) < 20


@pytest.mark.parametrize("first", [0, 1])
def test_drivers_of_one_loop_end_in_any_order(loop: asyncio.AbstractEventLoop, first: int) -> None:
    pairs = [started(loop), started(loop)]
    run(loop)
    heard, made = pairs.pop(first)
    made.stop()
    told = len(heard.told)
    run(loop)
    ((other, last),) = pairs
    assert len(heard.told) == told < len(other.told)
    last.stop()
    assert "select" not in vars(selector_of(loop))


def test_a_method_that_a_library_has_replaced_is_put_back(loop: asyncio.AbstractEventLoop) -> None:
    selector = selector_of(loop)
    own = selector.select

    def skips_waits(timeout: float | None) -> Any:
        return own(0)

    selector.select = skips_waits
    heard, made = started(loop)
    run(loop)
    made.stop()
    assert selector.select is skips_waits
    assert set(heard.due) == {None}


def test_a_method_that_is_replaced_later_stays(loop: asyncio.AbstractEventLoop) -> None:
    heard, made = started(loop)
    selector = selector_of(loop)
    hook = selector.select
    selector.select = later = lambda timeout: hook(timeout)
    run(loop)
    made.stop()
    assert selector.select is later
    told = len(heard.told)
    run(loop)
    assert 0 < told == len(heard.told)


def test_a_selector_that_raises_needs_beats(loop: asyncio.AbstractEventLoop) -> None:
    """That of qtinter raises an exception to wait in Qt's loop instead."""

    class Yields(Exception):
        pass

    def waits_in_qt(timeout: float | None) -> Any:
        raise Yields

    selector = selector_of(loop)
    own = selector.select
    selector.select = waits_in_qt
    heard, made = started(loop)
    with pytest.raises(Yields):
        loop.run_forever()
    assert heard.told == ["waits"]
    assert made.idle == BEAT
    assert not made.is_current()
    assert selector.select is waits_in_qt
    selector.select = own
    run(loop, 3 * BEAT)
    assert heard.told[:3] == ["waits", "resumes", f"beat {BEAT}"]
    assert made.is_current()
    made.stop()


def test_an_interrupt_while_the_loop_waits_ends_the_wait(loop: asyncio.AbstractEventLoop) -> None:
    def interrupted(timeout: float | None) -> Any:
        raise KeyboardInterrupt

    selector_of(loop).select = interrupted
    heard, made = started(loop)
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    assert heard.told == ["waits", "resumes"]
    assert made.idle == 0.0
    made.stop()


def test_a_wait_in_another_selector_may_not_have_been_told(loop: Any) -> None:
    _, made = started(loop)
    selector = loop._selector
    assert made.is_current()
    loop._selector = types.SimpleNamespace(select=None)
    assert not made.is_current()
    loop._selector = selector
    made.stop()


class Scripted:
    """A loop whose timers fire as soon as they are asked for, or later."""

    def __init__(self, **attributes: Any) -> None:
        self.later: list[Callable[[], None]] = []
        self.soon: list[Callable[[], None]] = []
        vars(self).update(attributes)

    def call_later(self, delay: float, call: Callable[[], None]) -> Any:
        self.later.append(call)
        return types.SimpleNamespace(cancel=self.later.clear)

    def call_soon(self, call: Callable[[], None]) -> Any:
        self.soon.append(call)
        return types.SimpleNamespace(cancel=self.soon.clear)


class Selector:
    def select(self, timeout: float | None = None) -> list[Any]:
        return []


@pytest.mark.parametrize("selector", [None, types.SimpleNamespace(), Selector()], ids=["none", "other", "not used"])
def test_a_loop_that_waits_elsewhere_has_beats(selector: Any) -> None:
    loop = Scripted(_selector=selector)
    heard, made = started(loop)
    for call in loop.soon:
        call()
    assert made.idle == BEAT
    loop.later.pop(0)()
    assert heard.told == [f"beat {BEAT}"]
    assert made.is_current()
    made.stop()
    assert loop.later == []


def test_timers_that_fire_at_once_end_the_beats() -> None:
    loop = Scripted()
    heard, made = started(loop)
    beats = 0
    while loop.later:
        loop.later.pop(0)()
        beats += 1
    assert heard.skips_waits
    assert heard.told[-1] == "waits"
    assert beats < 100
    assert not made.is_current()
