"""Contention site: the line at which workers lose time to each other.

At this line, each worker spends more time in a concurrent run than in a serial run. A thread of this plugin samples the
workers' stacks in two extra batches, one with a single worker and one with all. With a lock it is the line that waits
for the lock, with a connection pool the line that waits for a connection.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from pytest_concurrency.core.model import Sample
from pytest_concurrency.machine import stack_locations
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.originals import Event, Thread

_EVERY = 0.0005  # seconds between two samples
_MOST = 0.5  # part of the lost time that must have been lost at one line
_LEAST = 0.1  # part of a worker's time that must have been lost there

Stacks = Sequence[Sequence[stack_locations.Place]] | None


def unavailable() -> str | None:
    """Return why stacks of other threads cannot be read here, or None."""
    return stack_locations.unreadable()


def locate(run: Callable[[int], Sample], stacks: Callable[[int], Stacks], workers: int) -> str | None:
    """Describe the line at which workers lose most of the time that concurrency costs; None if there is no such line.

    :param run: runs a batch with this number of workers.
    :param stacks: returns the stacks of this number of workers; it is called from another thread.
    """
    alone, concurrent = _looked_at(run, stacks, 1), _looked_at(run, stacks, workers)
    lost = {place: seconds / workers - alone.get(place, 0.0) for place, seconds in concurrent.items()}
    return most_lost(lost, sum(concurrent.values()) / workers)


def most_lost(lost: dict[stack_locations.Place, float], of: float) -> str | None:
    """Describe the line that lost most, if that is a large part of a worker's time and of all lost time.

    :param of: seconds of one worker.
    """
    if not lost:
        return None
    place = max(lost, key=lost.__getitem__)
    all_lost = sum(seconds for seconds in lost.values() if seconds > 0)
    return stack_locations.describe([place]) if lost[place] >= max(_MOST * all_lost, _LEAST * of) else None


def _looked_at(
    run: Callable[[int], Sample], stacks: Callable[[int], Stacks], workers: int
) -> dict[stack_locations.Place, float]:
    """Run a batch while sampling it, and return the seconds of all workers together at each of the author's lines."""
    ended = Event()
    seen: list[tuple[float, float, stack_locations.Place]] = []  # when, for how long, and where

    def look() -> None:
        last = CLOCKS.wall()
        while not ended.is_set():
            CLOCKS.sleep(_EVERY)
            now = CLOCKS.wall()
            for stack in stacks(workers) or ():
                if (place := stack_locations.authors(stack)) is not None:
                    seen.append((now, now - last, place))
            last = now

    looker = Thread(target=look, name="concurrency-looker", daemon=True)
    looker.start()
    try:
        sample = run(workers)
    finally:
        ended.set()
        looker.join(1.0)
    seconds: defaultdict[stack_locations.Place, float] = defaultdict(float)
    for now, passed, place in seen:
        if sample.start <= now <= sample.start + sample.wall:  # before it, the workers run setup=
            seconds[place] += passed
    return seconds
