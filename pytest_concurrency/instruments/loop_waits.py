"""Tells a monitor when its event loop waits for events. Between two waits, the loop is kept from running.

Each kind of loop has a driver. Those of asyncio call the ``select`` method of their selector in each iteration, and
Trio calls instruments. Other loops, such as uvloop's, tell nothing. There, a timer of the loop fires at a fixed
interval: this is a beat, and a late beat shows that the loop was kept from running.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any, Protocol

from pytest_concurrency.machine import running_loop
from pytest_concurrency.machine.clocks import CLOCKS

_VIRTUAL = 20  # beats without a pause that show that the test has replaced the clock, and waits take no time


class Monitor(Protocol):
    """An object that a driver calls in the loop's thread."""

    skips_waits: bool  # whether the loop has a clock of its own, and beats can no longer monitor it

    def waits(self) -> None:
        """End a gap: the loop has run all that was ready, and begins to wait."""

    def resumes(self, due: float | None = None) -> None:
        """Begin a gap: the loop has waited. ``due`` is the time at which it should have gone on at the latest."""

    def beat(self, idle: float) -> None:
        """End a gap and begin the next one. In the gap, the loop may have waited for ``idle`` seconds."""


class Driver(Protocol):
    """Calls a monitor from :meth:`start` to :meth:`stop`."""

    idle: float  # seconds; the longest wait of which the driver says nothing

    def start(self) -> None: ...
    def stop(self) -> None: ...

    def is_current(self) -> bool:
        """Whether the driver has told of all waits so far. Otherwise, the current gap may be one."""


def driver(monitor: Monitor, beat: float, loop: asyncio.AbstractEventLoop | None) -> Driver:
    """Return the driver for the running loop, or for the given one, which may be about to run.

    :param beat: seconds between two beats, where beats are needed.
    """
    if loop is None and running_loop.trio_task() is not None:
        return _TrioWaits(monitor)
    loop = loop or asyncio.get_running_loop()
    selector = getattr(loop, "_selector", None)
    if callable(getattr(selector, "select", None)) and hasattr(selector, "__dict__"):
        return _SelectorWaits(monitor, beat, loop)
    return _Beats(monitor, beat, loop)


class _Beats:
    """Beats from timers of asyncio's loop, or of a loop with the same interface."""

    def __init__(self, monitor: Monitor, beat: float, loop: asyncio.AbstractEventLoop) -> None:
        self._monitor = monitor
        self.idle = beat
        self._loop = loop
        self._handle: Any = None
        self._last = 0.0
        self._quick = 0
        self.waits = False  # whether the loop waits, until the first beat

    def start(self) -> None:
        self._last = CLOCKS.wall()
        self._handle = self._loop.call_later(self.idle, self._beat)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    def is_current(self) -> bool:
        return not (self._monitor.skips_waits or self.waits)

    def _beat(self) -> None:
        last, self._last = self._last, CLOCKS.wall()
        self._quick = self._quick + 1 if self._last - last < self.idle / 4 else 0
        if self.waits:
            self.waits = False
            self._monitor.resumes()
        else:
            self._monitor.beat(self.idle)
        if self._quick >= _VIRTUAL:
            self._monitor.skips_waits = True
            self._monitor.waits()
        else:
            self._handle = self._loop.call_later(self.idle, self._beat)


class _SelectorWaits:
    """Waits in the selector of a loop. They are known exactly, and no thread is woken up for them."""

    def __init__(self, monitor: Monitor, beat: float, loop: asyncio.AbstractEventLoop) -> None:
        self.monitor = monitor
        self._loop: Any = loop
        self._beats = _Beats(monitor, beat, loop)
        self._needs_beats = False
        self.idle = 0.0
        self.was_called = False

    def start(self) -> None:
        self._hook = _SelectHook.of(self._loop._selector)
        self._hook.add(self)
        self._check_later = self._loop.call_soon(self._check)

    def stop(self) -> None:
        self._check_later.cancel()
        self._hook.discard(self)
        if self._needs_beats:
            self._beats.stop()

    def is_current(self) -> bool:
        if self._needs_beats:
            return self._beats.is_current()
        return self._loop._selector is self._hook.selector and self._hook.is_installed()

    def _check(self) -> None:
        """Take a timer if the loop waits elsewhere, as the loops of some GUI toolkits do."""
        if not self.was_called:
            self.need_beats(waits=False)

    def need_beats(self, waits: bool) -> None:
        """Take a timer from now on; ``waits`` says whether the loop waits now."""
        self._hook.discard(self)
        self._needs_beats = True
        self.idle = self._beats.idle
        self._beats.waits = waits
        self._beats.start()


class _SelectHook:
    """Stands in for the ``select`` method of a selector. Each selector has one, as its drivers may end in any order."""

    def __init__(self, selector: Any) -> None:
        self.selector = selector
        self._drivers: tuple[_SelectorWaits, ...] = ()
        self._select: Callable[..., Any] = selector.select
        # A library that replaces a loop's clock replaces this method too, and may wait for longer than it is asked to.
        self._is_own = "select" not in vars(selector)
        selector.select = self

    @classmethod
    def of(cls, selector: Any) -> _SelectHook:
        """Return the hook of a selector, which may be new."""
        found = vars(selector).get("select")
        return found if isinstance(found, cls) else cls(selector)

    def __call__(self, timeout: float | None = None) -> Any:
        drivers = self._drivers
        for each in drivers:
            each.was_called = True
            each.monitor.waits()
        due = None if timeout is None or not self._is_own else CLOCKS.wall() + max(0.0, timeout)
        try:
            found = self._select(timeout)
        except Exception:
            for each in drivers:
                each.need_beats(waits=True)  # qtinter's selector raises one, and its loop waits in Qt then
            raise
        except BaseException:
            for each in drivers:
                each.monitor.resumes()
            raise
        for each in drivers:
            each.monitor.resumes(due)
        return found

    def is_installed(self) -> bool:
        """Whether the selector still has this in place of its method."""
        return vars(self.selector).get("select") is self

    def add(self, driver: _SelectorWaits) -> None:
        """Tell a driver of all waits from now on."""
        self._drivers = (*self._drivers, driver)

    def discard(self, driver: _SelectorWaits) -> None:
        """Tell a driver nothing more. After the last one, put the method back, unless it has been replaced since."""
        self._drivers = tuple(each for each in self._drivers if each is not driver)
        if self._drivers or not self.is_installed():
            return
        if self._is_own:
            del self.selector.select
        else:
            self.selector.select = self._select


class _TrioWaits:
    """An instrument of Trio, which is called when a wait begins and when it ends."""

    idle = 0.0

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._trio: Any = sys.modules["trio"]

    def start(self) -> None:
        self._trio.lowlevel.add_instrument(self)

    def stop(self) -> None:
        self._trio.lowlevel.remove_instrument(self)

    def is_current(self) -> bool:
        return True

    def before_io_wait(self, timeout: float) -> None:
        self._monitor.waits()

    def after_io_wait(self, timeout: float) -> None:
        self._monitor.resumes()
