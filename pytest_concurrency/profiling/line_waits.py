"""Measures how long each line waits, because line_profiler measures only wall-clock time."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Collection
from types import CodeType, FrameType
from typing import Any

from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes.thread_clock import ThreadClock

Line = tuple[str, int]


def watch(run: Callable[[], Any], codes: Collection[CodeType]) -> dict[Line, float]:
    """Run something in this thread; return how long it waited in each line, including the calls in the line.

    Waiting is time without a CPU, minus the run-queue delay where that can be read. The clocks are read at every line;
    the time for that is subtracted.
    """
    stamps = ThreadClock()
    clocks = _Clocks(frozenset(codes), stamps.delay)
    before = sys.gettrace()
    sys.settrace(clocks.enter)
    try:
        run()
    finally:
        sys.settrace(before)
        stamps.close()
    return clocks.waiting


class _Clocks:
    """The trace functions for ``sys.settrace``."""

    def __init__(self, codes: frozenset[CodeType], delay: Callable[[], float | None]) -> None:
        self._codes = codes
        self._delay = delay
        self._open: dict[FrameType, tuple[int, float]] = {}  # the current line of each frame, and when it began
        self._looking = 0.0
        self.waiting: defaultdict[Line, float] = defaultdict(float)

    def enter(self, frame: FrameType, event: str, arg: object) -> Any:
        """Begin a function, or continue one that was suspended; ignore functions of other code."""
        return self.step(frame, event, arg) if frame.f_code in self._codes else None

    def step(self, frame: FrameType, event: str, arg: object) -> Any:
        if event == "exception":  # an exception on its way out, or about to be caught: the line continues
            return self.step
        waited = self._waited()
        now = waited - self._looking
        if (here := self._open.pop(frame, None)) is not None:
            line, began = here
            self.waiting[frame.f_code.co_filename, line] += now - began
        if event != "return":
            self._open[frame] = frame.f_lineno, now
        self._looking += self._waited() - waited
        return self.step

    def _waited(self) -> float:
        """Read all clocks without an interruption; begin again if the thread lost its CPU."""
        delay = self._delay()
        while True:
            off = CLOCKS.wall() - CLOCKS.thread_cpu()
            before, delay = delay, self._delay()
            if delay == before:
                return off - (delay or 0.0)
