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

from pytest_concurrency.backends.borrowed_loop import BorrowedAsyncioLoop, BorrowedLoop


def runs_elsewhere(item: pytest.Function) -> bool:
    """Return whether another plugin is going to run this async test; call it while the test is called.

    pytest-asyncio (and pytest-trio) have put a plain function into ``item.obj`` by then. anyio takes
    tests with its fixture ``anyio_backend``, in the same hook as we do.
    """
    if not inspect.iscoroutinefunction(item.obj):
        return True
    known = item.config.pluginmanager.has_plugin
    # It is registered under the name of its entry point, or under that of its module after -p.
    return bool(item.funcargs.get("anyio_backend")) and (known("anyio") or known("anyio.pytest_plugin"))


@contextlib.contextmanager
def lent(item: pytest.Function, measure: Callable[[BorrowedLoop], None]) -> Iterator[None]:
    """While a test is called, let the plugin that runs it run ``measure`` instead, on its loop."""
    function: Any = item.obj
    guests: list[BorrowedLoop] = []

    @functools.wraps(function)
    async def lend(*args: Any, **values: Any) -> None:
        __tracebackhide__ = True
        guest = borrowed_loop()
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


def on_a_loop() -> bool:
    """Whether an event loop of asyncio or Trio runs the calling code."""
    if asyncio._get_running_loop() is not None:
        return True
    if "trio" not in sys.modules:
        return False
    import trio

    with contextlib.suppress(RuntimeError):
        trio.lowlevel.current_trio_token()
        return True
    return False


def borrowed_loop() -> BorrowedLoop:
    """Return a way to measure on the loop that runs at this moment."""
    with contextlib.suppress(RuntimeError):
        asyncio.get_running_loop()
        return BorrowedAsyncioLoop()
    if "trio" in sys.modules:
        from pytest_concurrency.backends.trio_loop import BorrowedTrioLoop

        with contextlib.suppress(RuntimeError):
            return BorrowedTrioLoop()
    raise pytest.skip.Exception(
        "unmeasurable: the plugin that runs this async test uses an event loop that is neither asyncio's nor "
        "Trio's, and measuring can be a guest on these two only"
    )
