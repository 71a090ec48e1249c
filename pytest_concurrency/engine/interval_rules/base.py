"""What the rules for a round's interval get to see besides the interval and the round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pytest_concurrency.core.model import Interval, Reading, Round, Sample
from pytest_concurrency.engine import readings

# Which part of the computing needs a GIL that others need, too.
ALL_OVERLAPS, NONE_OVERLAPS = Interval(0.0, 0.0), Interval(1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Context:
    """What is known apart from the round.

    ``workers`` is how many bodies were compared with one. ``in_turn`` is the part of a body's computing that holds a
    GIL which the workers share, so that it cannot overlap. ``slower`` is how many times as slow as they should be the
    CPUs were found to be, by a reference workload. ``apart`` says that the two times are of different callables.
    """

    workers: int = 1
    cpus: float = 1.0
    in_turn: Interval = ALL_OVERLAPS
    slower: float | None = None
    apart: bool = False


Change = Callable[[Interval, Round, Context], Interval]


def work(round_: Round, context: Context) -> float:
    """Seconds that a single worker needs for what the workers did together, undisturbed."""
    return context.workers * readings.quiet_time(alone(round_))


def alone(round_: Round) -> Reading:
    """Return the single worker's reading, as if it had made as many calls as each of several did."""
    return readings.for_as_many_calls(round_.serial, together(round_).loops)


def together(round_: Round) -> Sample:
    """Return the batch of several workers."""
    assert round_.concurrent is not None, "a round without one gives no interval of a speedup"
    return round_.concurrent


def fastest(round_: Round) -> float:
    """Seconds that the batch of several workers needed at least, if only run delay had made it slower."""
    sample, serial = together(round_), alone(round_)
    return max(readings.optimistic_time(reading, sample, serial) for reading in sample.readings)


def least_computing(sample: Sample, context: Context, spun: float = 0.0) -> float:
    """Seconds that a batch's computing takes at least, without the CPU time for which threads only ``spun``."""
    cpus = cpus_at_once(sample, context.cpus)
    return max(least_time(max(0.0, sample.cpu - spun), cpus, context.in_turn.low), readings.TINY)


def least_time(cpu: float, cpus: float, in_turn: float) -> float:
    """Return what this much computing takes on so many CPUs at least, if that part of it cannot overlap."""
    return cpu * max(in_turn, 1 / max(1.0, cpus))


def cpus_at_once(sample: Sample, cpus: float) -> float:
    """Return how many CPUs the workers can have used at a time: one each, unless they let others compute for them."""
    helped = any(reading.with_helpers for reading in sample.readings)
    return max(1.0, cpus if helped else min(cpus, len(sample.readings)))
