"""What part of its CPUs a machine really gives, asked of computing that is known to run in parallel.

Two virtual CPUs may be two hardware threads of one core, now and for as long as a hypervisor likes. What then
computes on both at a time takes nearly twice the CPU time, and no counter says so. Nor does one say that the
host has taken a CPU away. A reference workload shows both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pytest_concurrency.core import stats
from pytest_concurrency.core.model import Interval, Round
from pytest_concurrency.engine import callable_intervals, constants, intervals, readings
from pytest_concurrency.engine.claims import Knowledge
from pytest_concurrency.engine.interval_rules import slow_cpus
from pytest_concurrency.engine.interval_rules.base import Context
from pytest_concurrency.engine.plan import Bench, WorkerSetup
from pytest_concurrency.engine.voting import Vote, cast

__tracebackhide__ = True  # pytest shows a failure at the line of the test

_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class ReferenceRun:
    """One run of a reference workload: the ``available`` part of the CPUs, and how much slower they were."""

    available: Interval
    growth: float

    @property
    def effective(self) -> Interval:
        """The part that a body may have got of what as many CPUs do that are as fast as one."""
        slower = self.growth**constants.SLOW_CORE_EXPONENT
        return Interval(self.available.low / slower, self.available.high / slower)


@dataclass
class ReferenceRuns:
    """One setup's control runs, in which as many workers compute as in its rounds."""

    bench: Bench
    setup: WorkerSetup
    cpus: float
    seen: list[ReferenceRun] = field(default_factory=list)

    def ask(self, times: int) -> None:
        """Run the reference workload."""
        for _ in range(times):
            round_ = self.bench.control(self.setup)
            found = intervals.speedup(round_, Context(self.setup.group_size, self.cpus))
            found = found or Interval(_LEAST, _LEAST)  # the round says nothing, so nothing counts as delivered
            growth = max(1.0, readings.cpu_growth(round_))
            part = growth / (min(self.setup.group_size, self.cpus) * constants.ALL_DELIVERED)
            self.seen.append(ReferenceRun(Interval(found.low * part, found.high * part), growth))

    def ask_again(self) -> None:
        """Run it once more, some times at first."""
        self.ask(max(1, constants.FIRST_RUNS - len(self.seen)))

    @property
    def delivered(self) -> bool:
        """Whether the CPUs were available in the last run, however slow."""
        return self.seen[-1].available.low * constants.ALL_DELIVERED >= constants.DELIVERED

    def widened(self, vote: Vote, round_: Round) -> Vote:
        """Return a round's vote with what the CPUs' slowness may have done to its figure."""
        if vote.interval is None:
            return vote
        effective = [control.effective.high for control in self.seen]
        # The last run alone says too little, since a moment later it may be otherwise.
        slower = 1 / max(_LEAST, min(1.0, effective[-1], stats.median(effective)))
        widened = slow_cpus.RULE.apply(vote.interval, round_, Context(slower=slower, apart=vote.apart))
        counted = cast(widened, vote.cut, vote.batch)
        return replace(vote, direction=counted.direction, weight=counted.weight, interval=widened, read=vote.interval)

    def for_storage(self, interval: Interval, round_: Round) -> Interval:
        """Return bounds to hold against those of another day, from which no more may be missing than is allowed for.

        CPUs that were not available at all are missing from what waits for a lock, too.
        """
        effective, available = (
            max(_LEAST, min(1.0, stats.median(parts)))
            for parts in ([run.effective.low for run in self.seen], [run.available.low for run in self.seen])
        )
        raised = min(interval.high / effective, interval.high * max(1.0, readings.cpu_growth(round_)) / available)
        return Interval(interval.low, raised)


def matters(setup: WorkerSetup, rounds: Sequence[Round], known: Knowledge) -> bool:
    """Whether a slow figure may be slow for want of CPUs."""
    return (
        setup.workers is not None
        and not setup.one_thread
        and not known.computes_alone
        and computing(setup, rounds) > constants.HINGES
        and not callable_intervals.by_one_thread(rounds[-1])
    )


def computing(setup: WorkerSetup, rounds: Sequence[Round]) -> float:
    """Return the computing part of what can be slow for want of CPUs: the body or, of two callables, the second."""
    if not setup.own_code:
        return readings.median_cpu_share(rounds)
    return stats.median([readings.cpu_share(round_.concurrent or round_.serial) for round_ in rounds])


def suspects_slow_cpus(vote: Vote, round_: Round) -> bool:
    """Whether a vote is a slow one only because computing took more CPU time concurrently than alone.

    That may be the body (workers that use up the caches or the memory's bandwidth) or the machine.
    """
    if vote.direction >= 0 or vote.interval is None:
        return False
    return vote.interval.high * max(1.0, readings.cpu_growth(round_)) > vote.cut
