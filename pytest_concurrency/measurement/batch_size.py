"""How long a batch is to be."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import TypeVar

from pytest_concurrency.core.model import Reading, Sample
from pytest_concurrency.machine.clocks import CLOCKS, resolution

_Number = TypeVar("_Number", int, float)
SHORTEST = 0.008  # seconds: a worker's start and stop are lost in it
LONGEST = 0.1  # seconds up to which batches grow where short ones say nothing
SHORTEST_CALL = 0.002  # seconds of a call that can be timed alone: workers start up to 0.1 ms after each other
_TICKS = 20  # of the clock that reads CPU time


@functools.cache
def shortest() -> float:
    """Return how long a batch takes at least, in seconds; longer where CPU time is told in coarse ticks (Windows)."""
    return max(SHORTEST, _TICKS * resolution(CLOCKS.thread_cpu))


def longest() -> float:
    """Return up to how many seconds batches grow where short ones do not get all workers onto their CPUs."""
    return max(LONGEST, shortest())


def next_loops(loops: int, seconds: float, batch: float) -> int:
    """Return how many calls to try next where ``loops`` of them took ``seconds``, and ``batch`` seconds are wanted."""
    # A tenfold step at most: the first calls are often slow, or fast, in a way of their own.
    return min(loops * 10, max(loops + 1, math.ceil(loops * batch / seconds)))


def joined(samples: Sequence[Sample]) -> Sample:
    """Return batches of a single worker as one, as if each had begun when the one before it ended.

    Of calls that were batches of their own, the ends are known.
    """
    if len(samples) == 1:
        return samples[0]
    readings = [sample.readings[0] for sample in samples]
    start = readings[0].start
    ends = tuple(start + seconds for seconds in itertools.accumulate(reading.wall for reading in readings))
    return Sample(
        sum(sample.loops for sample in samples),
        (
            Reading(
                start,
                ends[-1],
                cpu=sum(reading.cpu for reading in readings),
                delay=_sum([reading.delay for reading in readings]),
                late=readings[0].late,
                switches=_sum([reading.switches for reading in readings]),
                accounting=max((reading.accounting for reading in readings), key=_LEAST_KNOWN.index),
                ends=ends,
            ),
        ),
    )


_LEAST_KNOWN = ("one", "seen", "native", "raised", "unclear", "unseen")


def _sum(values: Sequence[_Number | None]) -> _Number | None:
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if len(known) == len(values) else None
