"""A witness of overlap that needs no clock: how many were inside at the same time."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType


class Gauge:
    """Counts who is inside a ``with`` block; safe in threads and in tasks, for one process.

    If ``peak`` is 4, four workers were inside at one moment: no measurement, no noise, no threshold.
    It says that work did overlap, not that it became faster.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._peak = 0
        self._entered = 0
        self._maker = threading.get_ident()
        self._around = False  # whether the test's own code has entered, and no worker's
        self._asked = False

    @property
    def peak(self) -> int:
        """The most that were inside at one moment."""
        self._asked = True
        return self._peak

    @property
    def says_nothing(self) -> bool:
        """Whether the peak was asked for, and the one block was around the workers instead of in them."""
        return self._asked and self._around and self._entered == 1

    @property
    def inside(self) -> int:
        """How many are inside now."""
        return self._inside

    @property
    def entered(self) -> int:
        """How many have ever entered."""
        return self._entered

    def __enter__(self) -> Gauge:
        with self._lock:
            if not self._entered:
                self._around = threading.get_ident() == self._maker and asyncio._get_running_loop() is None
            self._entered += 1
            self._inside += 1
            self._peak = max(self._peak, self._inside)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._inside -= 1

    async def __aenter__(self) -> Gauge:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __repr__(self) -> str:
        return f"<in flight: peak {self._peak}, now {self._inside}, entered {self._entered} times>"
