"""Counts how many workers are inside a block at the same time, which shows overlap without a clock."""

from __future__ import annotations

import os
import threading
from types import TracebackType
from typing import NoReturn

from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.machine.originals import Lock
from pytest_concurrency.machine.running_loop import in_loop

_ONE_PROCESS = (
    "concurrency.in_flight() counts only in the process that made it, and this {0}: its peak would not include what "
    "runs there. Write concurrency.in_flight(meet=2), or limit=, and pass the gauge to the worker processes as an "
    "argument."
)

__tracebackhide__ = True  # without this, pytest shows a failure in this module, not at the user's block


class Gauge:
    """Counts the threads and tasks of one process that are inside a ``with`` or ``async with`` block.

    If ``peak`` is 4, four workers were inside at one moment. This needs no clock and no threshold. It shows that work
    overlapped, but not that it became faster.

    :raises BadArgument: it was entered in another process, or sent to one.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._peak = 0
        self._entered = 0
        self._maker = threading.get_ident()
        self._process = os.getpid()
        self._around = False  # whether the first entry was by the test's own code, not by a worker
        self._asked = False

    @property
    def peak(self) -> int:
        """The largest number that was inside at one moment; 0 if none has entered."""
        self._asked = True
        return self._peak

    @property
    def says_nothing(self) -> bool:
        """Whether the peak was read, but the only ``with`` block was around the workers instead of in each worker."""
        return self._asked and self._around and self._entered == 1

    @property
    def inside(self) -> int:
        """How many are inside now."""
        return self._inside

    @property
    def entered(self) -> int:
        """How often it was entered, by all workers together."""
        return self._entered

    def __enter__(self) -> Gauge:
        if os.getpid() != self._process:
            raise BadArgument(_ONE_PROCESS.format("is another one"))
        with self._lock:
            if not self._entered:
                self._around = threading.get_ident() == self._maker and not in_loop()
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

    def __reduce__(self) -> NoReturn:
        raise BadArgument(_ONE_PROCESS.format("would send it to another one"))

    def __repr__(self) -> str:
        return f"<in flight: peak {self._peak}, now {self._inside}, entered {self._entered} times>"
