"""The user's own two implementations against each other: a bench and a claim of their own."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_concurrency.backends.base import WorkerGroup
from pytest_concurrency.backends.batch import refuse_coroutine
from pytest_concurrency.core import stats
from pytest_concurrency.core.model import GilProbe, Interference, Interval, Round, Sample
from pytest_concurrency.core.units import number, ratio
from pytest_concurrency.engine import callable_intervals, constants, intervals
from pytest_concurrency.engine.claims import Knowledge, SpeedupClaim, half, margin_cut, shortest_batch
from pytest_concurrency.engine.plan import CpuSite, Plan, WorkerSetup
from pytest_concurrency.engine.voting import Vote, cast
from pytest_concurrency.expectations.base import Tolerances
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.cpus import gil_enabled, usable_cpus
from pytest_concurrency.measurement import batch_size
from pytest_concurrency.measurement.ordering import RoundOrder
from pytest_concurrency.probes.interference import InterferenceMeter
from pytest_concurrency.probes.process_usage import ProcessUsage

__tracebackhide__ = True  # a failure is told at the test's own line
_MOST_LOOPS = 100_000
_ONE_CPU = 1.15  # CPUs up to which a function computes in one thread at a time


@dataclass(frozen=True, slots=True)
class ComparisonClaim(SpeedupClaim):
    """The second callable is that many times faster than the first."""

    def vote(self, round_: Round, gil: GilProbe | None, known: Knowledge) -> Vote:
        work = round_.serial.wall / round_.serial.loops
        found, figure = callable_intervals.speedup(round_, known.cpus), callable_intervals.figure(round_)
        if found is not None and math.isinf(found.high):
            if found.low <= margin_cut(self.margin):
                return Vote(0)
            found = Interval(found.low, max(found.low, figure or 0.0))
        vote = cast(found, margin_cut(self.margin), shortest_batch(round_), work, half(self.margin), apart=True)
        return vote if found is None else replace(vote, figure=figure)


def plan_for(threshold: Mapping[str, float], limits: Tolerances) -> Plan:
    """Return the plan of one comparison with a number, ``at_least`` or ``at_most``."""
    return Plan(
        setup=WorkerSetup("compare", max(1, int(usable_cpus()))),
        claims=tuple(
            ComparisonClaim(1, value, limits.margin, at_most=name == "at_most") for name, value in threshold.items()
        ),
        unmeasurable=functools.partial(too_few_cpus, threshold.get("at_least", 0.0)),
    )


def too_few_cpus(at_least: float, rounds: Sequence[Round], known: Knowledge) -> str | None:
    """Say why this machine cannot show it: the second function's computing alone takes too long here."""
    # Beside other programs, threads that spin while they wait for each other compute in vain.
    rounds = [round_ for round_ in rounds if not intervals.beside_others(round_)]
    busy = [callable_intervals.cpus_used(round_.concurrent) for round_ in rounds if round_.concurrent is not None]
    if len(busy) < 2:
        return None
    if known.cpus >= 2 and stats.median(busy) <= _ONE_CPU:
        return None  # more CPUs than those that it left idle would not make it faster
    ceilings = [
        intervals.body_time(round_) * known.cpus * round_.concurrent.loops / max(round_.concurrent.cpu, 1e-9)
        for round_ in rounds
        if round_.concurrent is not None
    ]
    ceiling = stats.median(ceilings)
    if at_least <= ceiling * 1.01 or known.cpus >= at_least:
        return None
    return (
        f"the second function computes so much that it can be at most {ratio(ceiling)} as fast as the first on "
        f"{number(known.cpus)} usable CPUs, so this machine cannot tell whether {number(at_least)}x is reached"
    )


class CallableBench:
    """Runs two callables in the test's own thread, where a user's pools and loops feel at home."""

    def __init__(self, first: Callable[[], Any], second: Callable[[], Any]) -> None:
        self._calls = first, second
        self._seconds: list[float] = []  # of one call of each, once it is warm
        self._batch = batch_size.shortest()
        self._number = 0
        self._random = random.Random()
        self._order = RoundOrder(self._random)
        self._meter = InterferenceMeter()
        self._control: WorkerGroup | None = None
        self._control_loops = 16
        self._cpus = usable_cpus()

    def now(self) -> float:
        return CLOCKS.wall()

    def sleep(self, seconds: float) -> None:
        CLOCKS.sleep(seconds)

    def site(self, setup: WorkerSetup) -> CpuSite:
        return CpuSite(self._cpus, gil_enabled(), one_interpreter=False)

    def prepare(self, setup: WorkerSetup) -> None:
        """Call each once to warm up, and once more to find how many calls of it make a batch."""
        if not self._seconds:
            for _ in range(2):
                self._seconds = [self._time(call, 1).wall for call in self._calls]

    def round(self, setup: WorkerSetup) -> Round:
        self._number += 1
        if self._order.serial_first():
            serial = self._batch_of(0)
            concurrent = self._batch_of(1)
        else:
            concurrent = self._batch_of(1)
            serial = self._batch_of(0)
        return Round(self._number, serial, concurrent, self._meter.read(), has_gil=gil_enabled())

    def probe_gil(self) -> GilProbe | None:
        return None

    def control(self, setup: WorkerSetup) -> Round:
        """Let as many threads as there are CPUs run computing that is known to be parallel."""
        from pytest_concurrency.backends.batch import control_body
        from pytest_concurrency.backends.threads import ThreadWorkers

        workers = setup.workers or 1
        if self._control is None:
            self._control = ThreadWorkers({"body": control_body}, workers)
        serial = self._control.run(1, self._control_loops, 60.0)
        return Round(self._number, serial, self._control.run(workers, self._control_loops, 60.0), self._meter.read())

    def refresh(self, setup: WorkerSetup) -> None:
        """Nothing to replace: the callables make and end their own workers in every round."""
        self._close_control()

    def lengthen(self, setup: WorkerSetup) -> None:
        self._batch = min(2 * self._batch, batch_size.longest())

    def one_call(self, setup: WorkerSetup, serial_calls: int) -> bool:
        """Batches stay as they are: the two functions are different things, each with its own time."""
        return False

    def stagger(self, setup: WorkerSetup) -> None:
        """Call one of them once more, or neither: both may share what is slow at every n-th call."""
        for call in self._random.sample(self._calls, self._random.randint(0, 1)):
            call()

    def note(self, setup: WorkerSetup) -> str:
        return "both run in the test's own thread"

    def interference(self) -> Interference:
        return self._meter.overall()

    def close(self) -> None:
        self._close_control()

    def _batch_of(self, which: int) -> Sample:
        loops = math.ceil(self._batch / max(self._seconds[which], 1e-7))
        return self._time(self._calls[which], max(1, min(loops, _MOST_LOOPS)))

    def _time(self, call: Callable[[], Any], loops: int) -> Sample:
        others = self._meter.read().others
        with ProcessUsage(short_lived=others is None or others > constants.QUIET) as work:
            answer = None
            for _ in range(loops):
                answer = call()
        refuse_coroutine(answer)
        self._meter.add_own(work.children_cpu)
        return Sample(loops, (work.reading,))

    def _close_control(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
