"""What all real benches have in common: the clock, the random order of a round's two batches, and interference."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable

from pytest_concurrency.core.leftovers import Leftover
from pytest_concurrency.core.model import GilProbe, Interference, Round, Sample
from pytest_concurrency.engine.plan import CpuSite, WorkerSetup
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.cpus import gil_enabled, usable_cpus
from pytest_concurrency.measurement import batch_size
from pytest_concurrency.measurement.ordering import RoundOrder
from pytest_concurrency.probes.interference import InterferenceMeter
from pytest_concurrency.probes.leftovers import Leftovers

__tracebackhide__ = True  # pytest shows a failure at the line of the test


class BaseBench(ABC):
    """Makes rounds, probes and control runs when the engine asks for them. Close it in the end, whatever happened.

    The methods are those of :class:`~pytest_concurrency.engine.plan.Bench`, and what a trial needs beside them.
    """

    def __init__(self, before: Leftovers | None = None) -> None:
        """``before`` was made before the first call of what is measured; None if that is still to come."""
        self._leftovers = before or Leftovers()
        self._batch = batch_size.shortest()  # seconds that a batch should take
        self._number = 0  # of the round
        self._random = random.Random()
        self._order = RoundOrder(self._random)
        self._meter = InterferenceMeter()
        self._cpus = usable_cpus()

    def now(self) -> float:
        """Return the seconds of the clock that all times are on."""
        return CLOCKS.wall()

    def sleep(self, seconds: float) -> None:
        """Let a burst of interference pass."""
        CLOCKS.sleep(seconds)

    def interference(self) -> Interference:
        """Return what else the machine did since the bench was made."""
        return self._meter.overall()

    def left_behind(self) -> tuple[Leftover, ...]:
        """Return what the calls so far have left running; waits a while if there seems to be anything."""
        return (*self._leftovers.found(), *self._left_elsewhere())

    def _left_elsewhere(self) -> Iterable[Leftover]:
        """Yield what only the workers can see."""
        return ()

    def lost_at(self, setup: WorkerSetup) -> str | None:
        """Return where the workers lose time to each other; None if that cannot be seen."""
        return None

    def probe_gil(self) -> GilProbe | None:
        """Run one batch beside a heartbeat; None if no thread of ours runs what is measured."""
        return None

    @abstractmethod
    def prepare(self, setup: WorkerSetup) -> None:
        """Warm up, and find out how many calls make a batch."""

    @abstractmethod
    def one_call(self, setup: WorkerSetup, serial_calls: int) -> bool:
        """Make one call a batch, where calls vary; return whether batches had several until now."""

    @abstractmethod
    def site(self, setup: WorkerSetup) -> CpuSite:
        """Return where the workers of a prepared setup run."""

    @abstractmethod
    def round(self, setup: WorkerSetup) -> Round:
        """Measure one round."""

    @abstractmethod
    def control(self, setup: WorkerSetup) -> Round:
        """Measure the reference workload in the place of what is measured."""

    @abstractmethod
    def refresh(self, setup: WorkerSetup) -> None:
        """Replace the workers by newly started ones."""

    @abstractmethod
    def lengthen(self, setup: WorkerSetup) -> None:
        """Make the batches longer."""

    @abstractmethod
    def stagger(self, setup: WorkerSetup) -> None:
        """Make some calls of which nothing is read, so that what every n-th call does keeps no step with rounds."""

    @abstractmethod
    def note(self, setup: WorkerSetup) -> str:
        """Return what a report should say of how this was measured."""

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

        :param kind: what rounds have in common that take turns in their order.
        :param measured: the serial batch, if it has just been run.
        """
        if self._order.serial_first(kind, measured=measured is not None):
            first = measured or serial()
            return first, concurrent()
        second = concurrent()
        return serial(), second

    def _round_of(self, serial: Sample, concurrent: Sample | None) -> Round:
        return Round(self._number, serial, concurrent, self._meter.read(), has_gil=gil_enabled())

    def _lengthened(self) -> bool:
        """Double the time of a batch, up to the longest; return whether it was shorter than that."""
        if self._batch >= batch_size.longest():
            return False
        self._batch = min(self._batch * 2, batch_size.longest())
        return True
