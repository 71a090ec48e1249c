"""How long a batch is to be."""

from __future__ import annotations

import functools

from pytest_concurrency.machine.clocks import CLOCKS, resolution

SHORTEST = 0.008  # seconds: a worker's start and stop are lost in it
LONGEST = 0.1  # seconds up to which batches grow where short ones say nothing
_TICKS = 20  # of the clock that reads CPU time


@functools.cache
def shortest() -> float:
    """Return how long a batch takes at least, in seconds; longer where CPU time is told in coarse ticks (Windows)."""
    return max(SHORTEST, _TICKS * resolution(CLOCKS.thread_cpu))


def longest() -> float:
    """Return up to how many seconds batches grow where short ones do not get all workers onto their CPUs."""
    return max(LONGEST, shortest())
