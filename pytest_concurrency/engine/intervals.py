"""From one round's readings to bounds of the speedup on a quiet machine.

With the serial batch's CPU time c1 and blocked time b1, k workers would do k batches one after the
other in k * (c1 + b1). What they needed together on a busy machine says less directly what they
would have needed on a quiet one:

* Pessimistic: take nothing off the time they took. A worker that queues for a lock is woken, waits for
  a CPU and finds the lock taken again, so its run delay would not have been progress. Only a worker
  that gave up its CPU no more often than the single worker did has waited for no lock and no
  GIL: what it waited for a CPU is interference, and comes off. What workers that outnumber
  the CPUs may have waited for each other does not: they would wait on a quiet machine, too.
* Optimistic: take off all run delay, and from what a worker waited beyond its own waiting the
  delay of the others too, who may have held what it waited for while they had no CPU.

Neither is faster than the CPUs are with all the computing, or than the part of it that holds a GIL which the workers
share allows: that part is done in turn.

Above the threshold by the pessimistic bound, or below it by the optimistic one, is a vote. Neither
is no vote.
"""

from __future__ import annotations

import math

from pytest_concurrency.core.model import Interval, Reading, Round, Sample
from pytest_concurrency.engine import constants, interval_rules, readings
from pytest_concurrency.engine.chance import Calls
from pytest_concurrency.engine.interval_rules import shared_cpus
from pytest_concurrency.engine.interval_rules.base import Context, cpus_at_once, fastest, least_time, work


def speedup(round_: Round, context: Context) -> Interval | None:
    """Return the bounds of the speedup of ``context.workers`` bodies; None if the round says nothing."""
    limited = limited_speedup(round_, context)
    return None if limited is None else widened_speedup(limited, round_, context).interval


def limited_speedup(round_: Round, context: Context) -> Interval | None:
    """Return the bounds from what the batches took and what is physically possible, before anything is allowed for."""
    together = round_.concurrent
    if together is None or not readings.readable(round_) or readings.cpu_taken(round_):
        return None
    alone = readings.for_as_many_calls(round_.serial, together.loops)
    once = work(round_, context)
    slowest = max(_pessimistic(reading, together, alone, context) for reading in together.readings)
    low, high = once / max(slowest, readings.TINY), once / max(fastest(round_), readings.TINY)
    limited = interval_rules.changed(Interval(low, high), round_, context, interval_rules.LIMITS).interval
    return Interval(min(limited.low, limited.high), max(limited.low, limited.high))


def widened_speedup(limited: Interval, round_: Round, context: Context) -> interval_rules.Changed:
    """Return the bounds with all that may have made the round slower, or faster, than it would have been."""
    return interval_rules.changed(limited, round_, context, interval_rules.RATIO_WIDENS)


def computing_share(round_: Round) -> interval_rules.Changed:
    """Return the bounds of the part of its own time for which a single worker computes."""
    share = readings.cpu_share(round_.serial)
    return interval_rules.changed(Interval(share, share), round_, Context(), interval_rules.SHARE_WIDENS)


def side_by_side(sample: Sample) -> bool:
    """Whether the workers' lifetimes overlap enough to have met at a lock, had there been one."""
    shared = min(reading.end for reading in sample.readings) - max(reading.start for reading in sample.readings)
    return shared >= constants.SIDE_BY_SIDE * min(reading.wall for reading in sample.readings)


def _pessimistic(reading: Reading, together: Sample, alone: Reading, context: Context) -> float:
    undisturbed = (
        reading.switches is not None
        and alone.switches is not None
        and reading.switches <= alone.switches
        and not reading.with_helpers
        and side_by_side(together)
    )
    if undisturbed:
        return shared_cpus.undisturbed_lifetime(reading, together, context.cpus)
    return reading.end - together.start


def most_by_computing(round_: Round, context: Context) -> float:
    """The speedup that the computing of the workers allows, whatever they waited for.

    Infinite where a body computed more concurrently than alone: then it may have been one of another kind.
    """
    together, alone = round_.concurrent, round_.serial
    if together is None:
        return math.inf
    each, serial = together.cpu / (context.workers * together.loops), alone.cpu / alone.loops
    if each > constants.OTHER_KIND * serial:
        return math.inf
    least = least_time(together.cpu, cpus_at_once(together, context.cpus), context.in_turn.low)
    return work(round_, context) / max(least, readings.TINY)


def calls(round_: Round, workers: int) -> Calls | None:
    """What a body took alone and each of several workers, undisturbed; None if the round does not tell that.

    Of many workers, the first ones.
    """
    together = round_.concurrent
    if together is None or not readings.readable(round_) or readings.cpu_taken(round_):
        return None
    alone = readings.for_as_many_calls(round_.serial, together.loops)
    first = together.readings[0]
    if first.ends:
        running = readings.quiet_time(first) / max(first.wall, readings.TINY)
        times = [(end - first.start) * running for end in first.ends]
    elif len(together.readings) < workers:
        return None
    else:
        times = [readings.optimistic_time(reading, together, alone) for reading in together.readings]
    each = [time / together.loops for time in times]
    usual, *others = readings.single_calls(round_.serial)
    if alone.each:  # bodies that differ are compared each with itself, as what it took more than that
        each = [max(readings.TINY, usual + time - serial) for time, serial in zip(each, alone.each, strict=False)]
    return Calls(usual, tuple(each[: constants.FIRST_WORKERS]), tuple(others), workers)
