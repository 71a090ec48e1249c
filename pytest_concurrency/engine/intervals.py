"""From one round's readings to bounds of the speedup on a quiet machine (pure).

With the serial batch's CPU time c1 and blocked time b1, k workers would do k batches one after the
other in k * (c1 + b1). What they needed together on a busy machine says less directly what they
would have needed on a quiet one:

* Pessimistic: take nothing off the time they took. A worker that queues for a lock is woken, waits for
  a CPU and finds the lock taken again, so its run delay would not have been progress. Only a worker
  that gave up its CPU no more often than the single worker did has waited for no lock and no
  GIL: what it waited for a CPU is interference, and comes off.
* Optimistic: take off all run delay, and from what a worker waited beyond its own waiting the
  delay of the others too, who may have held what it waited for while they had no CPU.

Neither is faster than the CPUs are with all the computing, or than the part of it that holds a GIL which the workers
share allows: that part is done in turn.

Above the threshold by the pessimistic bound, or below it by the optimistic one, is a vote. Neither
is no vote.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from pytest_concurrency.core.model import Interval, Reading, Round, Sample
from pytest_concurrency.core.stats import mean, median
from pytest_concurrency.engine import constants
from pytest_concurrency.engine.chance import Calls

TINY = 1e-9  # seconds, in place of none
# Which part of the computing needs a GIL that others need, too.
ALL_OVERLAPS, NONE_OVERLAPS = Interval(0.0, 0.0), Interval(1.0, 1.0)


def quiet_time(reading: Reading) -> float:
    """What a single worker would have needed with a CPU to itself."""
    return max(reading.cpu + reading.blocked, TINY)


def body_time(round_: Round) -> float:
    """What one body takes alone and undisturbed, by the single worker's batch."""
    return quiet_time(round_.serial.readings[0]) / round_.serial.loops


def faster_concurrently(round_: Round) -> float:
    """What a body took the first of several workers, undisturbed, if that is less than the serial one needed; else 0.

    Of tasks, which share a thread: what all of them took.
    """
    together = round_.concurrent
    if together is None or round_.serial.readings[0].each:  # the first worker's body is another than their mean
        return 0.0
    time = quiet_time(together.readings[0]) / together.loops
    return time if time < body_time(round_) else 0.0


def cpu_share(serial: Sample) -> float:
    """The computing part of one worker's own time, from 0 (waits) to 1 (computes)."""
    reading = serial.readings[0]
    return min(1.0, reading.cpu / quiet_time(reading))


def most_cpu_share(round_: Round) -> float:
    """The same at most, where a CPU was taken away from what the kernel took to be running."""
    reading, taken = round_.serial.readings[0], taken_seconds(round_)
    return min(1.0, (reading.cpu + taken) / quiet_time(reading))


def least_cpu_share(round_: Round) -> float:
    """The same at the least, where a wait for someone else may have been read as a wait for a CPU.

    The other side of a connection, woken by a request, may take this worker's CPU before the worker begins to wait for
    the answer. Then the kernel takes the worker to be running, and its wait is run delay. What hardly ever gives up its
    CPU waits for no one.
    """
    reading = round_.serial.readings[0]
    delay = reading.delay or 0.0
    if delay <= constants.CALM * reading.wall or reading.switches is None or reading.switches < constants.WAITS_OFTEN:
        return cpu_share(round_.serial)
    return min(1.0, reading.cpu / max(reading.cpu + reading.blocked + delay, TINY))


def taken_seconds(round_: Round) -> float:
    """How long a hypervisor or a quota may have kept a single worker from its CPU, unseen by any run delay."""
    return round_.interference.taken * round_.serial.wall if round_.interference.taken > constants.NOTICED else 0.0


def median_cpu_share(rounds: Sequence[Round]) -> float:
    """The same over some rounds."""
    return median([cpu_share(round_.serial) for round_ in rounds])


def mean_cpu_share(rounds: Sequence[Round]) -> float:
    """The same over all time of some rounds, where calls that compute and calls that wait may take turns."""
    readings = [round_.serial.readings[0] for round_ in rounds]
    return min(1.0, sum(reading.cpu for reading in readings) / sum(map(quiet_time, readings)))


def mean_cpu(rounds: Sequence[Round]) -> float:
    """Return the CPU time of one worker's batch, over all workers of some rounds."""
    samples = [sample for round_ in rounds for sample in (round_.serial, round_.concurrent) if sample is not None]
    loops = rounds[-1].serial.loops
    return loops * sum(sample.cpu for sample in samples) / sum(sample.workers * sample.loops for sample in samples)


def seen_in_concurrent_only(rounds: Sequence[Round]) -> bool:
    """Whether one batch of several workers took much longer than the others, and the single worker as yet less in all.

    Several workers meet a rare call sooner than one does.
    """
    together = [round_.concurrent.wall for round_ in rounds if round_.concurrent is not None]
    if not together or max(together) < constants.UNLIKE * median(together):
        return False
    return sum(round_.serial.wall for round_ in rounds) < max(together)


def readable(round_: Round) -> bool:
    """Whether a round counts: run delay was read, or the machine was quiet without it.

    One in which a thread computed does not, of which it is not known whether it works for the body, or which may have
    taken the GIL from it.
    """
    samples = [sample for sample in (round_.serial, round_.concurrent) if sample is not None]
    if any(reading.accounting == "unclear" for sample in samples for reading in sample.readings):
        return False
    return round_.serial.readings[0].delay is not None or not beside_others(round_)


def beside_others(round_: Round) -> bool:
    """Whether other programs may have wanted the CPUs: that is seen, or cannot be read."""
    others = round_.interference.others
    return others is None or others > constants.QUIET


def cpu_taken(round_: Round) -> bool:
    """Whether a computing body's round was cut short of CPU in a way that no run delay shows.

    A hypervisor's steal and a quota's throttling stop a worker that the kernel takes to be running.
    """
    return round_.interference.taken > constants.TAKEN and cpu_share(round_.serial) > constants.COMPUTES


def disturbed(round_: Round, cpus: float) -> bool:
    """Whether something else kept the workers from their CPUs, whatever the round's figure is."""
    if cpu_taken(round_) or not readable(round_):
        return True
    samples = [round_.serial]
    # More workers than CPUs wait for each other.
    if round_.concurrent is not None and (round_.concurrent.workers <= cpus or beside_others(round_)):
        samples.append(round_.concurrent)
    if any(reading.delay is None for sample in samples for reading in sample.readings):
        return False  # readable all the same: the machine did little else
    return any(sample.delay > constants.CALM * sample.wall for sample in samples)


def helpers_late(round_: Round) -> bool:
    """Whether threads or processes that the body starts compute for it, beside other programs.

    How long these were kept from their CPUs is not known.
    """
    samples = [sample for sample in (round_.serial, round_.concurrent) if sample is not None]
    return beside_others(round_) and any(
        reading.accounting == "unseen" for sample in samples for reading in sample.readings
    )


def speedup(round_: Round, workers: int, cpus: float, in_turn: Interval = ALL_OVERLAPS) -> Interval | None:
    """Bounds of the speedup of ``workers`` bodies; None if the round says nothing.

    ``in_turn`` is the part of a body's computing that is known to hold a GIL which the workers share, so that it cannot
    overlap whatever the number of CPUs.
    """
    together = round_.concurrent
    if together is None or not readable(round_) or cpu_taken(round_):
        return None
    alone = _for_as_many_calls(round_.serial, together.loops)
    work = workers * quiet_time(alone)
    late = helpers_late(round_)
    least_work = workers * _least_alone(alone, cpus, in_turn.low) if late else work
    helped = any(reading.accounting == "unseen" for reading in together.readings)
    at_once = min(cpus, len(together.readings)) if not helped else cpus
    slowest = max(_pessimistic(reading, together, alone) for reading in together.readings)
    low = least_work / max(slowest, _least_time(together.cpu, at_once, in_turn.high), TINY)
    if late:  # how long helpers waited for a CPU is not known, nor whether those with one spun meanwhile
        return Interval(low, max(low, float(workers)))
    fastest = max(_optimistic(reading, together, alone) for reading in together.readings)
    # What has been done in that time can be done in it, whatever a probe says of the GIL.
    floor = max(together.cpu / max(1.0, at_once), min(together.cpu * in_turn.low, together.wall))
    high = work / max(fastest, floor, TINY)
    return Interval(min(low, high), max(low, high))


def _for_as_many_calls(serial: Sample, loops: int) -> Reading:
    """The single worker's reading, as if it had made so many calls of the mean length."""
    reading, part = serial.readings[0], loops / serial.loops
    if part == 1:
        return reading
    return replace(
        reading,
        end=reading.start + reading.wall * part,
        cpu=reading.cpu * part,
        delay=None if reading.delay is None else reading.delay * part,
        switches=None if reading.switches is None else round(reading.switches * part),
        ends=(),
    )


def _least_time(cpu: float, at_once: float, in_turn: float) -> float:
    """What this much computing takes on so many CPUs, if that part of it cannot overlap."""
    return cpu * max(in_turn, 1 / max(1.0, at_once))


def _least_alone(alone: Reading, cpus: float, in_turn: float) -> float:
    """What a single worker needs at least, beside other programs: helpers may have waited for a CPU all the time."""
    return max(_least_time(alone.cpu, cpus, in_turn), TINY) if alone.accounting == "unseen" else quiet_time(alone)


def side_by_side(sample: Sample) -> bool:
    """Whether the workers' lifetimes overlap enough to have met at a lock, had there been one."""
    shared = min(reading.end for reading in sample.readings) - max(reading.start for reading in sample.readings)
    return shared >= constants.SIDE_BY_SIDE * min(reading.wall for reading in sample.readings)


def _lifetime(reading: Reading, together: Sample) -> tuple[float, float]:
    """Time since the first worker started, and how much of it went by without a CPU."""
    waited_to_start = min(reading.start - together.start, reading.late or 0.0)
    return reading.end - together.start, (reading.delay or 0.0) + waited_to_start


def _pessimistic(reading: Reading, together: Sample, alone: Reading) -> float:
    lifetime, delay = _lifetime(reading, together)
    undisturbed = (
        reading.switches is not None
        and alone.switches is not None
        and reading.switches <= alone.switches
        and reading.accounting != "unseen"
        and side_by_side(together)
    )
    return lifetime - delay if undisturbed else lifetime


def _optimistic(reading: Reading, together: Sample, alone: Reading) -> float:
    lifetime, delay = _lifetime(reading, together)
    waiting = max(0.0, lifetime - reading.cpu - delay)
    own = min(waiting, alone.blocked)
    others = sum(other.delay or 0.0 for other in together.readings if other is not reading)
    return reading.cpu + own + max(0.0, waiting - own - others)


def most_by_computing(round_: Round, workers: int, cpus: float, in_turn: Interval) -> float:
    """The speedup that the computing of the workers allows, whatever they waited for.

    Infinite where a body computed more concurrently than alone: then it may have been one of another kind.
    """
    together, alone = round_.concurrent, round_.serial
    if together is None:
        return math.inf
    each, serial = together.cpu / (workers * together.loops), alone.cpu / alone.loops
    if each > constants.OTHER_KIND * serial:
        return math.inf
    least = _least_time(together.cpu, min(cpus, len(together.readings)), in_turn.low)
    return workers * quiet_time(_for_as_many_calls(alone, together.loops)) / max(least, TINY)


def calls(round_: Round, workers: int) -> Calls | None:
    """What a body took alone and each of several workers, undisturbed; None if the round does not tell that.

    Of many workers, the first ones.
    """
    together = round_.concurrent
    if together is None or not readable(round_) or cpu_taken(round_):
        return None
    alone = _for_as_many_calls(round_.serial, together.loops)
    first = together.readings[0]
    if first.ends:
        running = quiet_time(first) / max(first.wall, TINY)
        times = [(end - first.start) * running for end in first.ends]
    elif len(together.readings) < workers:
        return None
    else:
        times = [_optimistic(reading, together, alone) for reading in together.readings]
    each = [time / together.loops for time in times]
    usual, *others = _single_calls(round_.serial)
    if alone.each:  # bodies that differ are compared each with itself, as what it took more than that
        each = [max(TINY, usual + time - serial) for time, serial in zip(each, alone.each, strict=False)]
    return Calls(usual, tuple(each[: constants.FIRST_WORKERS]), tuple(others), workers)


def longest_body(serial: Sample) -> float:
    """Return how many times the mean of N workers' bodies the longest of them takes; 1 where they are the same one."""
    each = serial.readings[0].each
    return max(1.0, max(each) / max(mean(each), TINY)) if each else 1.0


def _single_calls(serial: Sample) -> tuple[float, ...]:
    """What each call of a single worker took, undisturbed, where that was read; else what they took in the mean."""
    reading = serial.readings[0]
    if serial.loops == 1 or len(reading.ends) != serial.loops:
        return (quiet_time(reading) / serial.loops,)
    running = quiet_time(reading) / max(reading.wall, TINY)
    starts = (reading.start, *reading.ends)
    return tuple((end - start) * running for start, end in zip(starts, reading.ends, strict=False))


def cpu_growth(round_: Round) -> float:
    """How many times the CPU time of a call several workers took, or the second of two callables; 1 is as much."""
    together, alone = round_.concurrent, round_.serial
    if together is None:
        return 1.0
    return (together.cpu / (together.workers * together.loops)) / max(alone.cpu / alone.loops, TINY)
