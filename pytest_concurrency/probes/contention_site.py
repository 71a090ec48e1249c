"""Where workers lose time to each other: the line at which each of them is for longer concurrently than alone.

All of them are looked at from a thread of ours, in an extra batch of one worker and one of all. With a lock it is the
line that waits for the lock, with a pool of connections the one that waits for a connection.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence

from pytest_concurrency.machine import stack_locations
from pytest_concurrency.machine.clocks import CLOCKS

_EVERY = 0.0005  # seconds between two looks
_MOST = 0.5  # part of the lost time that must have gone into one line
_LEAST = 0.1  # part of all time that must have been lost

Stacks = Sequence[Sequence[stack_locations.Place]] | None


def unavailable() -> str | None:
    """Return why no one may look into other threads here, or None."""
    return stack_locations.unreadable()


def locate(run: Callable[[int], object], stacks: Callable[[int], Stacks], workers: int) -> str | None:
    """Describe the line at which the workers lose most of the time that company costs them; None if there is none.

    :param run: runs a batch of so many workers.
    :param stacks: tells where so many workers are, from another thread.
    """
    alone, concurrent = _looked_at(run, stacks, 1), _looked_at(run, stacks, workers)
    lost = {place: seconds / workers - alone.get(place, 0.0) for place, seconds in concurrent.items()}
    return most_lost(lost, sum(concurrent.values()) / workers)


def most_lost(lost: dict[stack_locations.Place, float], of: float) -> str | None:
    """Describe where most was lost, if that is a large part of a worker's time, and most of what was lost (pure)."""
    if not lost:
        return None
    place = max(lost, key=lost.__getitem__)
    all_lost = sum(seconds for seconds in lost.values() if seconds > 0)
    return stack_locations.describe([place]) if lost[place] >= max(_MOST * all_lost, _LEAST * of) else None


def _looked_at(
    run: Callable[[int], object], stacks: Callable[[int], Stacks], workers: int
) -> dict[stack_locations.Place, float]:
    """Run a batch, and return for how many seconds all workers together were at which of the author's lines."""
    ended = threading.Event()
    seconds: defaultdict[stack_locations.Place, float] = defaultdict(float)

    def look() -> None:
        last = CLOCKS.wall()
        while not ended.is_set():
            CLOCKS.sleep(_EVERY)
            now = CLOCKS.wall()
            for stack in stacks(workers) or ():
                if (place := stack_locations.authors(stack)) is not None:
                    seconds[place] += now - last
            last = now

    looker = threading.Thread(target=look, name="concurrency-looker", daemon=True)
    looker.start()
    try:
        run(workers)
    finally:
        ended.set()
        looker.join(1.0)
    return seconds
