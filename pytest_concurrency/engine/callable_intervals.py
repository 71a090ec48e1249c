"""From one round's readings to bounds of how many times as fast the second of two callables is."""

from __future__ import annotations

import math

from pytest_concurrency.core.model import Interval, Reading, Round, Sample
from pytest_concurrency.engine import constants, readings


def speedup(round_: Round, cpus: float) -> Interval | None:
    """Bounds of how many times as fast the second of two callables is; None if the round says nothing.

    One thread would have needed its time less its run delay. Where there are several, the run delay of all that were
    seen is added up: until the slowest of them ended, between none and all of it was interference. No callable is
    faster than its computing on all CPUs.
    """
    together = round_.concurrent
    if together is None or not readings.readable(round_) or readings.cpu_taken(round_):
        return None
    first, second = round_.serial.readings[0], together.readings[0]
    calls = together.loops / round_.serial.loops
    # Threads and wake-ups come late beside other programs, also those of a hypervisor's other guests, and not all of
    # it is run delay.
    busy = readings.beside_others(round_) or round_.interference.taken > constants.NOTICED
    if busy and first.accounting == "native":
        return None
    low = calls * _least(first, cpus, busy, constants.USUALLY_LATE, all_late=False) / _most(second)
    least = _least(second, cpus, busy, constants.LATE)
    return Interval(low, max(low, calls * _most(first) / least) if least > 0 else math.inf)


def figure(round_: Round) -> float | None:
    """How many times as fast the second of two callables was, as far as that was seen; late wake-ups hit both."""
    together = round_.concurrent
    if together is None:
        return None
    calls = together.loops / round_.serial.loops
    return calls * _most(round_.serial.readings[0]) / _most(together.readings[0])


def cpus_used(sample: Sample) -> float:
    """How many CPUs a user's own code kept busy, as far as nothing else kept it from them."""
    reading = sample.readings[0]
    return reading.cpu / max(reading.wall - (reading.delay or 0.0), readings.TINY)


def by_one_thread(round_: Round) -> bool:
    """Whether the second of two callables could not have been faster with more CPUs than one."""
    return round_.concurrent is not None and round_.concurrent.readings[0].accounting == "one"


def _most(reading: Reading) -> float:
    """What the whole work took at most, on a quiet machine."""
    return readings.quiet_time(reading) if reading.accounting == "one" else max(reading.wall, readings.TINY)


def _least(reading: Reading, cpus: float, busy: bool, late: float, all_late: bool = True) -> float:
    """What it took at least; beside other programs, waits may have been longer than it shows.

    :param late: seconds by which a single wait of one thread may have been late.
    :param all_late: whether the waits of several may each have been late by any amount, up to a third of the time.
    """
    lateness = constants.UNSEEN_LATENESS if busy else 1.0
    waits = math.inf if reading.switches is None else reading.switches * late
    if reading.accounting == "one":
        return max(reading.cpu + reading.blocked - min(waits, reading.blocked * (1 - 1 / lateness)), readings.TINY)
    computing = reading.cpu / max(1.0, cpus)
    if busy and reading.accounting == "native":  # such threads may have spun, to wait for one that had no CPU
        return 0.0
    if busy and reading.accounting == "unseen":
        return max(computing, readings.TINY)
    lifetime = reading.wall - (reading.delay or 0.0)
    on_time = lifetime / lateness if all_late else max(lifetime / lateness, lifetime - waits)
    return max(computing, on_time, reading.wall * 0.1 / lateness, readings.TINY)
