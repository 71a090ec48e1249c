"""What the readings of one round say: times without interference, shares, and whether they can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_concurrency.core.model import Interference, Reading, Round, Sample
from pytest_concurrency.core.stats import mean, median
from pytest_concurrency.engine import constants

TINY = 1e-9  # seconds, in place of none


def quiet_time(reading: Reading) -> float:
    """What a single worker would have needed with a CPU to itself."""
    return max(reading.cpu + reading.blocked, TINY)


def lifetime(reading: Reading, together: Sample) -> tuple[float, float]:
    """Time since the first worker started, and how much of it went by without a CPU."""
    waited_to_start = min(reading.start - together.start, reading.late or 0.0)
    return reading.end - together.start, (reading.delay or 0.0) + waited_to_start


def optimistic_time(reading: Reading, together: Sample, alone: Reading) -> float:
    """What a worker would have needed at the least, if only the run delay of all workers had made it slower."""
    seconds, delay = lifetime(reading, together)
    waiting = max(0.0, seconds - reading.cpu - delay)
    own = min(waiting, max(0.0, alone.blocked - alone.helpers_delay))
    others = sum(other.delay or 0.0 for other in together.readings if other is not reading)
    return reading.cpu + own + max(0.0, waiting - own - others)


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
    """Upper bound of the computing share: adds time that a hypervisor or a quota took, which no run delay shows."""
    reading, taken = round_.serial.readings[0], taken_seconds(round_)
    return min(1.0, (reading.cpu + taken) / quiet_time(reading))


def least_cpu_share(round_: Round) -> float:
    """Lower bound of the computing share, where a wait for another process may have been read as a wait for a CPU.

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
    """Median over rounds of the computing share of a single worker's time, from 0 to 1."""
    return median([cpu_share(round_.serial) for round_ in rounds])


def mean_cpu_share(rounds: Sequence[Round]) -> float:
    """Computing share of all time of some rounds, where calls that compute and calls that wait may take turns."""
    readings = [round_.serial.readings[0] for round_ in rounds]
    return min(1.0, sum(reading.cpu for reading in readings) / sum(map(quiet_time, readings)))


def mean_cpu(rounds: Sequence[Round]) -> float:
    """Return the CPU time of one worker's batch, over all workers of some rounds.

    A serial run may make several such batches, each of a single call.
    """
    samples = [sample for round_ in rounds for sample in samples_of(round_)]
    loops = min(sample.loops for sample in samples_of(rounds[-1]))
    return loops * sum(sample.cpu for sample in samples) / sum(sample.workers * sample.loops for sample in samples)


def seen_in_concurrent_only(rounds: Sequence[Round]) -> bool:
    """Whether one batch of several workers took much longer than the others, and than all of the single worker's.

    Several workers meet a rare call sooner than one does.
    """
    together = [round_.concurrent.wall for round_ in rounds if round_.concurrent is not None]
    if not together or max(together) < constants.UNLIKE * median(together):
        return False
    return sum(round_.serial.wall for round_ in rounds) < max(together)


def samples_of(round_: Round) -> list[Sample]:
    """Return the batches of a round: that of the single worker, and that of several if there was one."""
    return [sample for sample in (round_.serial, round_.concurrent) if sample is not None]


def readable(round_: Round) -> bool:
    """Whether a round counts: run delay was read, or the machine was quiet without it.

    One in which a thread computed does not, of which it is not known whether it works for the body.
    """
    return all(_counts(reading, round_) for sample in samples_of(round_) for reading in sample.readings)


def serial_readable(round_: Round) -> bool:
    """Whether the single worker's batch counts, whatever that of several is like."""
    return _counts(round_.serial.readings[0], round_)


def _counts(reading: Reading, round_: Round) -> bool:
    return reading.accounting != "unclear" and (reading.delay is not None or not beside_others(round_))


def beside_others(round_: Round) -> bool:
    """Whether other programs may have wanted the CPUs: that is seen, or cannot be read."""
    return busy(round_.interference)


def busy(interference: Interference) -> bool:
    """Whether other programs may have wanted the CPUs in that time."""
    return interference.others is None or interference.others > constants.QUIET


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
    """Whether threads or processes that the body starts compute for it beside other programs, and may have waited."""
    readings = [reading for sample in samples_of(round_) for reading in sample.readings]
    return beside_others(round_) and any(reading.with_helpers for reading in readings)


def for_as_many_calls(serial: Sample, loops: int) -> Reading:
    """The single worker's reading, as if it had made so many calls of the mean length."""
    if loops == serial.loops:
        return serial.readings[0]
    return replace(serial.readings[0].scaled(loops / serial.loops), ends=())


def longest_body(serial: Sample) -> float:
    """Return how many times the mean of N workers' bodies the longest of them takes; 1 where they are the same one."""
    each = serial.readings[0].each
    return max(1.0, max(each) / max(mean(each), TINY)) if each else 1.0


def single_calls(serial: Sample) -> tuple[float, ...]:
    """What each call of a single worker took, undisturbed, where that was read; else what they took in the mean."""
    reading = serial.readings[0]
    if serial.loops == 1 or len(reading.ends) != serial.loops:
        return (quiet_time(reading) / serial.loops,)
    running = quiet_time(reading) / max(reading.wall, TINY)
    starts = (reading.start, *reading.ends)
    return tuple((end - start) * running for start, end in zip(starts, reading.ends, strict=False))


def overlap(sample: Sample) -> float:
    """Return how many CPUs the workers of a batch used at a time, in the mean."""
    return sample.cpu / max(sample.wall, TINY)


def cpu_growth(round_: Round) -> float:
    """How many times the CPU time of a call several workers took, or the second of two callables; 1 is as much."""
    together, alone = round_.concurrent, round_.serial
    if together is None:
        return 1.0
    return (together.cpu / (together.workers * together.loops)) / max(alone.cpu / alone.loops, TINY)
