"""Batch size: how long a batch should take, and how many calls make one."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from pytest_concurrency.core.model import Reading, Sample
from pytest_concurrency.machine.clocks import CLOCKS, resolution

_Number = TypeVar("_Number", int, float)
SHORTEST = 0.008  # seconds; a worker's start and stop are negligible in it
LONGEST = 0.1  # seconds up to which batches grow where short ones are not enough
SHORTEST_CALL = 0.002  # seconds of a call that can be a batch: workers start up to 0.1 ms after each other
_SHORT = 4  # times as long as a batch is, it should have been: the call that told its size was no usual one
_SHORT_ROUNDS = 3  # short ones in a row before a batch is sized again: where calls vary, one may be short by chance
_TICKS = 20  # a batch lasts for at least this many ticks of the CPU-time clock


@functools.cache
def shortest() -> float:
    """Return the shortest duration of a batch, in seconds; it is longer where CPU time has coarse ticks (Windows)."""
    return max(SHORTEST, _TICKS * resolution(CLOCKS.thread_cpu))


def longest() -> float:
    """Return the duration, in seconds, up to which batches grow where short ones do not get all workers onto CPUs."""
    return max(LONGEST, shortest())


def next_loops(loops: int, seconds: float, batch: float) -> int:
    """Return how many calls to try next where ``loops`` of them took ``seconds``, and ``batch`` seconds are wanted."""
    # At most a tenfold step: the first calls are often slower or faster than later ones.
    return min(loops * 10, max(loops + 1, math.ceil(loops * batch / seconds)))


def is_short(seconds: float, batch: float) -> bool:
    """Whether a batch that took ``seconds`` is much shorter than the ``batch`` seconds that it was sized for."""
    return seconds < batch / _SHORT


class ShortRounds:
    """Rounds in a row with a batch that is much shorter than it was sized for, by the key of their setup."""

    def __init__(self) -> None:
        self._count: dict[str, int] = {}

    def are_many(self, key: str, seconds: float, batch: float) -> bool:
        """Count a round, and return whether there were enough in a row to size its batch again."""
        self._count[key] = self._count.get(key, 0) + 1 if is_short(seconds, batch) else 0
        return self._count[key] >= _SHORT_ROUNDS


def sustained_loops(most: int, concurrent: Sample, seconds: float) -> int:
    """Return how many calls make a concurrent batch last for ``seconds``: under contention, it needs fewer calls."""
    enough = concurrent.loops * seconds / max(concurrent.wall, 1e-6)
    return max(1, min(most, math.ceil(1.1 * enough)))


def joined(samples: Sequence[Sample], exclusive: bool = False) -> Sample:
    """Join batches of a single worker into one, as if each had begun when the one before it ended.

    The joined reading has the end of each batch in ``ends``. A single batch, of any number of workers, stays as it is.

    :param exclusive: whether no other program could take a CPU from the workers.
    """
    if len(samples) == 1:
        return replace(samples[0], exclusive=exclusive)
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
                helpers_delay=sum(reading.helpers_delay for reading in readings),
            ),
        ),
        gil_taken=sum(sample.gil_taken for sample in samples),
        exclusive=exclusive,
    )


_LEAST_KNOWN = ("one", "seen", "native", "helped", "unclear", "unseen")


def _sum(values: Sequence[_Number | None]) -> _Number | None:
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if len(known) == len(values) else None
