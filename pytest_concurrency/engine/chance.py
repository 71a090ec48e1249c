"""Permutation test: whether varying durations alone could explain slow concurrent runs.

A test body of which three calls in ten take five times as long is as quick in a concurrent run as in a serial one. Yet
the slowest of four is often such a call when the serial one is not, and some rounds may all be like that: their times
look like a queue. So a test body is called slow in concurrent runs only where chance is no explanation. The null
hypothesis is exchangeability: all calls, serial or concurrent, are drawn from one distribution, whatever that is. Two
bounds of how probable the rounds are then:

- By ranks, as an exceedance test does (Rosenbaum, *Tables for a nonparametric test of location*, 1954): so many of the
  longest calls would all have been made concurrently.
- By repetition: a queue gives the same times in each round, such as one, two, three and four times the serial one, and
  draws would have to come out like that each time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from pytest_concurrency.core import stats
from pytest_concurrency.engine import constants


class Calls(NamedTuple):
    """A round's calls, in seconds per body: the serial one's, and those of the concurrent workers.

    ``others`` are further serial ones. Of many workers ``concurrent`` may have the first ones only; ``workers`` is
    how many there were, 0 for as many as are listed.
    """

    alone: float
    concurrent: tuple[float, ...]
    others: tuple[float, ...] = ()
    workers: int = 0

    @property
    def serial(self) -> tuple[float, ...]:
        return (self.alone, *self.others)


def chance(rounds: Sequence[Calls]) -> float:
    """Return an upper bound of the probability that draws from one distribution look as slow as these.

    0 where concurrent calls took hardly longer than serial ones: then varying calls are not what the figure lacks.
    """
    latest = rounds[-constants.LATEST_ROUNDS :]
    if 2 * sum(max(calls.concurrent) > constants.OTHER_CALLS * calls.alone for calls in latest) <= len(latest):
        return 0.0
    return min(1.0, by_ranks(latest), by_repetition(latest))


def drawn_at_most(rounds: Sequence[Calls]) -> float:
    """Return an upper bound of the speedup that draws from the distribution of all these calls have.

    Infinite with too few rounds for a bound. A group of rounds at a time is left out (the delete-a-group jackknife:
    Shao and Tu, *The Jackknife and Bootstrap*, 1995), so rare long calls that some groups have and others lack make the
    bound high.
    """
    if len(rounds) < 2 * constants.JACKKNIFE_GROUPS:
        return math.inf
    groups = constants.JACKKNIFE_GROUPS
    without = [
        _drawn([calls for number, calls in enumerate(rounds) if number % groups != each]) for each in range(groups)
    ]
    middle = stats.mean(without)
    error = math.sqrt((groups - 1) / groups * sum((each - middle) ** 2 for each in without))
    return middle + constants.JACKKNIFE_ERRORS * error


def drawn(rounds: Sequence[Calls]) -> float:
    """Return the speedup that draws from all of these calls would have: with a queue that is more than it is, not less.

    Of as many as there are concurrently, the longest is awaited: its mean is that of a sample's maximum. Infinite if
    all serial calls take the same time: then chance cannot explain the difference.
    """
    latest = rounds[-constants.LATEST_ROUNDS :]
    serial = [time for calls in latest for time in calls.serial]
    return math.inf if max(serial) <= constants.OTHER_CALLS * min(serial) else _drawn(latest)


def _drawn(rounds: Sequence[Calls]) -> float:
    pool = sorted(time for calls in rounds for time in (*calls.serial, *calls.concurrent))
    workers, size = rounds[0].workers or len(rounds[0].concurrent), len(pool)
    longest = sum(
        time * ((rank / size) ** workers - ((rank - 1) / size) ** workers) for rank, time in enumerate(pool, 1)
    )
    return workers * stats.mean(pool) / longest


def by_ranks(rounds: Sequence[Calls]) -> float:
    """Return the bound from how many of the longest calls were made concurrently.

    A few serial calls may be left out as long ones; each choice gets its part of the error.
    """
    alone = sorted((time for calls in rounds for time in calls.serial), reverse=True)
    concurrent = [time for calls in rounds for time in calls.concurrent]
    best = 1.0
    for left_out, limit in enumerate(alone[: constants.LEFT_OUT]):
        longest = sum(time > limit for time in concurrent) + left_out
        ways = math.comb(len(alone) + len(concurrent), longest)
        at_most = sum(
            math.comb(len(alone), some) * math.comb(len(concurrent), longest - some) for some in range(left_out + 1)
        )
        best = min(best, at_most / ways * (left_out + 1) * (left_out + 2))
    return best


def by_repetition(rounds: Sequence[Calls]) -> float:
    """Return the bound from how many rounds were the same: the probability that draws come out so, at most."""
    shapes = [sorted(time / calls.alone for time in calls.concurrent) for calls in rounds]
    usual = [stats.median(times) for times in zip(*shapes, strict=True)]
    serial = stats.median([calls.alone for calls in rounds])
    same = sum(
        _alike(calls.alone, serial) and all(_alike(time, other) for time, other in zip(shape, usual, strict=True))
        for calls, shape in zip(rounds, shapes, strict=True)
    )
    levels = _levels([1.0, *usual])
    counts = [levels[1:].count(level) for level in range(max(levels) + 1)]
    # The most probable of all distributions is the one that has what was seen.
    likely = math.factorial(len(usual)) * _part(counts, levels[0], levels[0])
    for level, count in enumerate(counts):
        likely *= _part(counts, level, levels[0]) ** count / math.factorial(count)
    # Some of the workers had long calls, or all: each of these ways might have come out again and again.
    ways = len(usual) + 1
    return ways * math.comb(len(rounds), same) * likely**same


def _part(counts: Sequence[int], level: int, serial: int) -> float:
    return (counts[level] + (level == serial)) / (sum(counts) + 1)


def _levels(times: Sequence[float]) -> list[int]:
    """Number times by how long they are; those that lie close together have the same number."""
    ordered = sorted(times)
    level, found = 0, {ordered[0]: 0}
    for before, time in itertools.pairwise(ordered):
        level += time > before * constants.OTHER_CALLS
        found[time] = level
    return [found[time] for time in times]


def _alike(first: float, second: float) -> bool:
    return first <= second * constants.SAME_TIMES and second <= first * constants.SAME_TIMES
