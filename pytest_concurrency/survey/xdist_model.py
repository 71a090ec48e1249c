"""How long a suite would take with ``-n N`` of pytest-xdist, from what its tests took one after the other.

Three bounds, of which the longest counts:

1. The workers share the CPUs. A worker waits, then computes, again and again. While it waits, another one computes. At
   most as many compute at a time as there are CPUs. That is the machine-repairman model of queueing theory (Lazowska
   et al., *Quantitative System Performance*, 1984, chapter 8): N customers, a delay for the waiting, one station with
   a server for each CPU.
2. The CPUs have all the computing to do, also that of tests which use several threads or processes themselves.
3. Tests are dealt out in their order, each to the worker that is free first. So the longest test is a floor.

Before that, the controller starts, and then each worker does, which imports and collects everything for itself.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

# CPU time that passing a test's reports from a worker to the controller takes, in units of what pytest itself takes for
# a test without xdist. A judgement: `benchmarks/survey.py xdist` measures it.
PASSING_ON = 1.0
_NOTHING = 1e-9  # seconds
_SETTLED = 1.05  # a count of workers that is slower by less than that than the best one is enough
_WORTH = 0.9  # part of today's time from which on more workers are not worth it


@dataclass(frozen=True, slots=True)
class Demand:
    """What one test needs, in seconds: ``alone`` from start to end with a CPU free, ``computing`` of that."""

    alone: float
    computing: float


@dataclass(frozen=True, slots=True)
class Costs:
    """What comes on top of the tests, in seconds of CPU time: of one process without xdist.

    ``boot`` is the start of Python and pytest, ``start`` that with imports and collection, ``own`` what pytest and its
    plugins do between the phases of tests.
    """

    boot: float = 0.0
    start: float = 0.0
    own: float = 0.0


@dataclass(frozen=True, slots=True)
class Predicted:
    """How long it takes with so many workers."""

    workers: int
    seconds: float


def alone(tests: Sequence[Demand], costs: Costs) -> float:
    """Return how long the suite takes without xdist where a CPU is always free."""
    return costs.start + costs.own + sum(test.alone for test in tests)


def with_workers(workers: int, tests: Sequence[Demand], costs: Costs, cpus: float) -> float:
    """Return how long it takes with that many workers."""
    return predictions(tests, costs, cpus, (workers,))[0].seconds


def predictions(tests: Sequence[Demand], costs: Costs, cpus: float, counts: Sequence[int] = ()) -> list[Predicted]:
    """Return how long it takes with each of some counts of workers, by default those that are worth a look."""
    own = costs.own * (1 + PASSING_ON)
    each = own / len(tests) if tests else 0.0
    lengths = [test.alone + each for test in tests]
    all_computing = own + sum(test.computing for test in tests)
    # A test that computes in several threads or processes is one customer all the same.
    computing = own + sum(min(test.computing, test.alone) for test in tests)
    waiting = max(0.0, sum(lengths) - computing)
    found = []
    for workers in counts or worth_a_look(cpus):
        starting = costs.boot + costs.start * max(1.0, workers / cpus)
        running = (shared(workers, waiting, computing, cpus), all_computing / cpus, dealt_out(workers, lengths))
        found.append(Predicted(workers, starting + max(running)))
    return found


def shared(workers: int, waiting: float, computing: float, cpus: float) -> float:
    """Return how long workers take that wait and compute by turns, for so much waiting and computing in all."""
    if waiting < _NOTHING:
        return computing / min(workers, cpus)
    if computing < _NOTHING:
        return waiting / workers
    # The chance that j workers compute at a time is in proportion to these weights.
    weights = [1.0]
    for computes in range(1, workers + 1):
        at_once = min(computes, cpus)
        waits = workers - computes + 1  # as many as waited before one of them began to compute
        weights.append(weights[-1] * computing * waits / (waiting * at_once))
        largest = weights[-1]
        if largest > 1e200:  # only their ratio matters
            weights = [weight / largest for weight in weights]
    busy = sum(weight * min(computes, cpus) for computes, weight in enumerate(weights)) / sum(weights)
    return computing / busy


def dealt_out(workers: int, lengths: Sequence[float]) -> float:
    """Return when the last test ends if each is given to the worker that is free first, in their order."""
    free = [0.0] * workers
    for length in lengths:
        heapq.heapreplace(free, free[0] + length)
    return max(free)


def worth_a_look(cpus: float) -> tuple[int, ...]:
    """Return counts of workers: up to four for each CPU; 2 and 4 in any case."""
    whole = max(1, round(cpus))
    return tuple(sorted({2, 4, whole, 2 * whole, 4 * whole} - {1}))


def best_of(found: Sequence[Predicted], today: float) -> Predicted | None:
    """Return the fewest workers that take hardly longer than the best count; None if none is worth it."""
    if not found:
        return None
    least = min(one.seconds for one in found)
    best = next(one for one in found if one.seconds <= least * _SETTLED)
    return best if best.seconds < _WORTH * today else None
