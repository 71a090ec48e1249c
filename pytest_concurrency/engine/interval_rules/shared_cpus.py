"""No figure above what was seen, where workers outnumber the CPUs and wait for each other, and for no one else."""

from __future__ import annotations

from pytest_concurrency.core.model import Interval, Reading, Round, Sample
from pytest_concurrency.engine import constants, readings
from pytest_concurrency.engine.interval_rules.base import Change, Context, together, work
from pytest_concurrency.engine.readings import TINY
from pytest_concurrency.engine.rule import Rule


def limit_to_shared_cpus(interval: Interval, round_: Round, context: Context) -> Interval:
    """Return what is left if only other programs' share of the CPUs has made the workers slower."""
    sample = together(round_)
    quiet = sample.exclusive or not readings.beside_others(round_)
    if not quiet or sample.workers <= context.cpus or any(reading.with_helpers for reading in sample.readings):
        return interval
    interference = round_.interference
    others = interference.taken if sample.exclusive else (interference.others or 0.0) + interference.taken
    seen = max(undisturbed_lifetime(reading, sample, context.cpus) for reading in sample.readings)
    most = work(round_, context) / max(seen * (1 - min(1.0, constants.BURSTS * others)), TINY)
    return Interval(min(interval.low, most), min(interval.high, most))


def undisturbed_lifetime(reading: Reading, sample: Sample, cpus: float) -> float:
    """Return how long a worker would have taken at most without other programs, in seconds.

    Workers with a CPU each do not wait for each other. Others may, while all CPUs do the computing of the rest: R. L.
    Graham, *Bounds on multiprocessing timing anomalies* (SIAM Journal on Applied Mathematics 17, 1969).
    """
    lifetime, delay = readings.lifetime(reading, sample)
    each_other = (sample.cpu - reading.cpu) / max(1.0, cpus) if sample.workers > cpus else 0.0
    return lifetime - max(0.0, delay - each_other)


RULE: Rule[Change] = Rule(
    "shared-cpus",
    limit_to_shared_cpus,
    failure="four processes on two CPUs that wait 14 ms and compute 15 ms read as 3.8x, and were seen to be 2.6x",
    evidence="promise: a CPU that is kept busy by the workers themselves is no interference",
    sentence="the workers share the CPUs that there are",
)
