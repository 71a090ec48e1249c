"""Base class of the benches: the clock, the random order of a round's two batches, and interference."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable

from pytest_concurrency.core.leftovers import Leftover
from pytest_concurrency.core.model import BlockProbe, GilProbe, Interference, Round, Sample
from pytest_concurrency.engine import readings
from pytest_concurrency.engine.plan import CpuSite, WorkerSetup
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.cpus import gil_enabled, usable_cpus
from pytest_concurrency.measurement import batch_size
from pytest_concurrency.measurement.ordering import RoundOrder
from pytest_concurrency.probes.interference import InterferenceMeter
from pytest_concurrency.probes.leftovers import Leftovers

__tracebackhide__ = True  # pytest shows a failure at the line of the test


class BaseBench(ABC):
    """Runs rounds, probes and the reference workload when the engine asks for them. Always close it in the end.

    It has the methods of :class:`~pytest_concurrency.engine.plan.Bench`, and others that a trial needs.
    """

    def __init__(self, before: Leftovers | None = None) -> None:
        """``before`` was created before the first call of the measured code; None if that call is still to come."""
        self._leftovers = before or Leftovers()
        self._batch = batch_size.shortest()  # seconds that a batch should take
        self._number = 0  # of the latest round
        self._busy = False  # whether other programs may have wanted the CPUs in it
        self._random = random.Random()
        self._order = RoundOrder(self._random)
        self._meter = InterferenceMeter()
        self._cpus = usable_cpus()

    def now(self) -> float:
        """Return the time, in seconds, on the clock that all readings use."""
        return CLOCKS.wall()

    def sleep(self, seconds: float) -> None:
        """Wait for a burst of interference to pass."""
        CLOCKS.sleep(seconds)

    def interference(self) -> Interference:
        """Return what else the machine did since the bench was made."""
        return self._meter.overall()

    def left_behind(self) -> tuple[Leftover, ...]:
        """Return what the calls so far have left running, after it had time to end."""
        return (*self._leftovers.found(), *self._left_elsewhere())

    def _left_elsewhere(self) -> Iterable[Leftover]:
        """Return the leftovers that only the workers can see."""
        return ()

    def lost_at(self, setup: WorkerSetup) -> str | None:
        """Return where the workers lose time to each other; None if that cannot be seen."""
        return None

    def probe_gil(self) -> GilProbe | None:
        """Run one batch while the GIL is probed; None if no thread of this plugin runs the measured code."""
        return None

    @abstractmethod
    def prepare(self, setup: WorkerSetup) -> None:
        """Warm up, and find out how many calls make a batch."""

    @abstractmethod
    def one_call(self, setup: WorkerSetup, serial_calls: int) -> bool:
        """Make each batch a single call, because call times vary; return whether batches had several calls so far."""

    @abstractmethod
    def site(self, setup: WorkerSetup) -> CpuSite:
        """Return where the workers of a prepared setup run."""

    @abstractmethod
    def round(self, setup: WorkerSetup) -> Round:
        """Measure one round."""

    @abstractmethod
    def control(self, setup: WorkerSetup) -> Round:
        """Measure one round of the reference workload instead of the measured code."""

    @abstractmethod
    def refresh(self, setup: WorkerSetup) -> None:
        """Replace the workers with newly started ones."""

    @abstractmethod
    def lengthen(self, setup: WorkerSetup) -> None:
        """Make the batches longer."""

    @abstractmethod
    def stagger(self, setup: WorkerSetup, most: int) -> None:
        """Make up to ``most`` calls more, measured or not: a slow n-th call could always be in the same batch."""

    @abstractmethod
    def note(self, setup: WorkerSetup) -> str:
        """Return what a report should say about how this was measured."""

    @abstractmethod
    def close(self) -> None:
        """End all workers; safe to call twice, and after any error."""

    def _ordered(
        self,
        serial: Callable[[], Sample],
        concurrent: Callable[[], Sample],
        kind: Hashable = None,
        measured: Sample | None = None,
    ) -> tuple[Sample, Sample]:
        """Run the two batches of a round in random order, and return the serial one first.

        :param kind: rounds of the same kind alternate between the two orders.
        :param measured: the serial batch, if it has just been run.
        """
        if self._order.serial_first(kind, measured=measured is not None):
            first = measured or serial()
            return first, concurrent()
        second = concurrent()
        return serial(), second

    def _round_of(
        self,
        serial: Sample,
        concurrent: Sample | None = None,
        gil: GilProbe | None = None,
        block: BlockProbe | None = None,
    ) -> Round:
        round_ = Round(self._number, serial, concurrent, self._meter.read(), gil, block, gil_enabled())
        self._busy = readings.beside_others(round_)
        return round_

    def _lengthened(self) -> bool:
        """Double the duration of a batch, up to the longest; return whether it was shorter than that."""
        if self._batch >= batch_size.longest():
            return False
        self._batch = min(self._batch * 2, batch_size.longest())
        return True
