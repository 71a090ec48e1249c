"""What every worker of every backend does with a batch, and who it is while doing so."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from pytest_concurrency.model import Reading
from pytest_concurrency.probes.thread_state import ThreadClock


@dataclass(frozen=True, slots=True)
class Worker:
    """Which worker runs the body: ``index`` counts from 0 to ``count`` - 1."""

    index: int
    count: int
    backend: str


# Outside of any backend the body runs once, alone, in the test's own thread.
ALONE = Worker(index=0, count=1, backend="serial")
current_worker: ContextVar[Worker] = ContextVar("pytest_concurrency_worker", default=ALONE)


def run_batch(call: Callable[[], Any], loops: int, clock: ThreadClock, idle_delay: float | None) -> Reading:
    """Call the body ``loops`` times between two stamps."""
    begun = clock.begin()
    for _ in repeat(None, loops):
        call()
    return clock.finish(begun, idle_delay)


_BLOCK = bytes(1 << 16)


def control_body() -> None:
    """Computing that is known to run in parallel, in threads too: hashing releases the GIL.

    About a third of a millisecond. If several workers cannot overlap *this*, the machine is not
    giving them their CPUs at the moment, whatever the body does.
    """
    for _ in repeat(None, 4):
        hashlib.sha256(_BLOCK).digest()
