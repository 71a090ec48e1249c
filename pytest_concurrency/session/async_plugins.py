"""Measuring under plugins that run async tests: pytest-asyncio, anyio, and others that work as they do.

Such a plugin runs the coroutine function that it finds in ``item.obj``. While a measured test is
called, ``item.obj`` is a function of this module, which measures on the loop that runs it. So it does
not matter how a plugin makes its loop, keeps it, or shares it with fixtures.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_concurrency.backends.event_loops.borrowed_loop import BorrowedAsyncioLoop, BorrowedLoop
from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.session import other_plugins

_NAP = 0.04  # seconds, of which Windows may leave out its timer's 15 ms


def runs_elsewhere(item: pytest.Function) -> bool:
    """Return whether another plugin is going to run this async test; call it while the test is called.

    pytest-asyncio (and pytest-trio) have put a plain function into ``item.obj`` by then. anyio takes
    tests with its fixture ``anyio_backend``, in the same hook as we do.
    """
    if not inspect.iscoroutinefunction(item.obj):
        return True
    return bool(item.funcargs.get("anyio_backend")) and other_plugins.has(item.config, "anyio")


@contextlib.contextmanager
def lent(item: pytest.Function, measure: Callable[[BorrowedLoop], None]) -> Iterator[None]:
    """While a test is called, let the plugin that runs it run ``measure`` instead, on its loop."""
    function: Any = item.obj
    guests: list[BorrowedLoop] = []

    @functools.wraps(function)
    async def lend(*args: Any, **values: Any) -> None:
        __tracebackhide__ = True
        guest = await borrowed_loop()
        guests.append(guest)
        await guest.serve(functools.partial(measure, guest))

    item.obj = lend
    try:
        yield
    finally:
        item.obj = function
        for guest in guests:  # of a loop that was interrupted
            guest.abandon()


def run_alone(item: pytest.Function) -> bool | None:
    """Run an async test that no other plugin runs, on a new event loop; None leaves the test to others.

    For tests with the fixture ``concurrency``, which may measure on that loop.
    """
    __tracebackhide__ = True
    if "concurrency" not in item.fixturenames or not inspect.iscoroutinefunction(item.obj) or runs_elsewhere(item):
        return None
    wanted = inspect.signature(item.obj).parameters
    asyncio.run(item.obj(**{name: value for name, value in item.funcargs.items() if name in wanted}))
    return True


async def borrowed_loop() -> BorrowedLoop:
    """Return a way to measure on the loop that runs at this moment.

    :raises BadArgument: that loop skips its waits.
    """
    __tracebackhide__ = True
    with contextlib.suppress(RuntimeError):
        loop = asyncio.get_running_loop()
        if await _skips_waits(loop):
            raise BadArgument(_not_real(loop))
        return BorrowedAsyncioLoop()
    if "trio" in sys.modules:
        import trio

        from pytest_concurrency.backends.event_loops.trio_loop import BorrowedTrioLoop

        with contextlib.suppress(RuntimeError):
            clock = trio.lowlevel.current_clock()
            if type(clock).__name__ != "SystemClock":
                raise BadArgument(_not_real(clock))
            return BorrowedTrioLoop()
    raise pytest.skip.Exception(
        "unmeasurable: the plugin that runs this async test uses an event loop that is neither asyncio's nor "
        "Trio's, and measuring can be a guest on these two only"
    )


async def _skips_waits(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a sleep on this loop is over before its time, as with looptime; unknown loops are asked by one."""
    if getattr(loop.time, "__func__", None) is asyncio.BaseEventLoop.time:
        return False
    began = CLOCKS.wall()
    await asyncio.sleep(_NAP)
    return CLOCKS.wall() - began < _NAP / 2


def _not_real(clock: object) -> str:
    """Say that a loop, or Trio's clock, does not go with the machine's time, and what to do."""
    owner = next((one for one in type(clock).__mro__ if "time" in vars(one)), type(clock))
    plugin = owner.__module__.partition(".")[0]
    remedy = {
        "looptime": "Write @pytest.mark.looptime(False) on this test, or take its marker looptime off",
        "trio": "Let it run on Trio's own clock, without MockClock",
    }.get(plugin, "Let it run on a loop with the machine's clock")
    return (
        f"this test cannot be measured on the clock of {plugin} ({type(clock).__name__}): it skips waits, so that code "
        f"that waits looks as if it computed. {remedy}. What should run in skipped time belongs in another test."
    )
