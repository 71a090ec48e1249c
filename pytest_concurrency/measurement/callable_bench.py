"""The bench of two callables: both run as a whole in the test's own thread, and all that they do is measured."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from pytest_concurrency.backends.base import Raised, WorkerGroup
from pytest_concurrency.backends.lazy_results import refuse_lazy
from pytest_concurrency.core.model import Round, Sample
from pytest_concurrency.engine import readings
from pytest_concurrency.engine.plan import CpuSite, WorkerSetup
from pytest_concurrency.machine import priority
from pytest_concurrency.machine.cpus import gil_enabled
from pytest_concurrency.machine.full_collections import FULL_COLLECTIONS
from pytest_concurrency.machine.priority import ORDINARY, Priority
from pytest_concurrency.measurement import batch_size
from pytest_concurrency.measurement.base_bench import BaseBench
from pytest_concurrency.measurement.shared_priority import SharedPriority
from pytest_concurrency.probes.leftovers import Leftovers
from pytest_concurrency.probes.process_usage import ProcessUsage

__tracebackhide__ = True  # pytest shows a failure at the line of the test
_MOST_LOOPS = 100_000
_CONTROL_DEADLINE = 60.0  # seconds
NAMES = ("the baseline", "the candidate")


class CallableBench(BaseBench):
    """Runs two callables in the calling thread, where their pools and event loops work as they do in the test."""

    def __init__(
        self,
        baseline: Callable[[], Any],
        candidate: Callable[[], Any],
        higher: Priority = ORDINARY,
        before: Leftovers | None = None,
    ) -> None:
        """Make a bench; nothing is called yet.

        :param higher: the priority of batches, once both have been called.
        """
        super().__init__(before)
        self._priority = SharedPriority(higher)
        self._calls = baseline, candidate
        self._seconds: list[float] = []  # duration of one call of each, after a warm-up
        self._control: WorkerGroup | None = None
        self._control_loops = 16

    def results(self) -> tuple[Any, Any]:
        """Call each once, and return what the baseline and the candidate returned."""
        with self._leftovers.recording():
            return self._call(0), self._call(1)

    def site(self, setup: WorkerSetup) -> CpuSite:
        return CpuSite(self._cpus, gil_enabled(), one_interpreter=False, needs_right=self._priority.needs_right)

    def prepare(self, setup: WorkerSetup) -> None:
        """Call each once to warm up, and once more to find how many calls of it make a batch."""
        if not self._seconds:
            with self._leftovers.recording():
                self._seconds = [self._time(which, 1).wall for which in (0, 1)]
            with self._priority.learning():
                self._seconds = [self._time(which, 1).wall for which in (0, 1)]

    def round(self, setup: WorkerSetup) -> Round:
        self._number += 1
        return self._round_of(*self._ordered(lambda: self._batch_of(0), lambda: self._batch_of(1)))

    def control(self, setup: WorkerSetup) -> Round:
        """Measure the reference workload, which is known to run in parallel, in threads."""
        from pytest_concurrency.backends.batch import control_body
        from pytest_concurrency.backends.threads import ThreadWorkers

        workers = setup.workers or 1
        if self._control is None:
            self._control = ThreadWorkers({"body": control_body}, workers)
        with priority.raised(self._priority.higher, self._control.native_ids):
            run = functools.partial(self._control.run, loops=self._control_loops, deadline=_CONTROL_DEADLINE)
            return self._round_of(*self._ordered(lambda: run(1), lambda: run(workers)))

    def refresh(self, setup: WorkerSetup) -> None:
        """End the threads of the reference workload; the callables start and end their own workers in every round."""
        self.close()

    def lengthen(self, setup: WorkerSetup) -> None:
        self._lengthened()

    def one_call(self, setup: WorkerSetup, serial_calls: int) -> bool:
        """Keep the batches as they are: the two callables are different functions, each with its own call time."""
        return False

    def stagger(self, setup: WorkerSetup, most: int) -> None:
        """Call one of the two once more, or neither: they may share something that is slow at every n-th call."""
        for which in self._random.sample((0, 1), self._random.randint(0, 1)):
            self._call(which)

    def note(self, setup: WorkerSetup) -> str:
        return "both run in the test's own thread"

    def close(self) -> None:
        self._priority.close()
        if self._control is not None:
            self._control.close()
            self._control = None

    def _batch_of(self, which: int) -> Sample:
        while True:
            loops = max(1, min(math.ceil(self._batch / max(self._seconds[which], 1e-7)), _MOST_LOOPS))
            sample = self._time(which, loops)
            if loops == _MOST_LOOPS or not batch_size.is_short(sample.wall, self._batch):
                return sample
            # The call that told the size was slow by chance, or something is cached since. Without this, all batches
            # would be as short as a reading of the clocks. A tenfold step at most, as this batch may be unusual, too.
            self._seconds[which] = max(sample.wall / loops, self._seconds[which] / 10)

    def _time(self, which: int, loops: int) -> Sample:
        usage = ProcessUsage(short_lived=readings.busy(self._meter.read()))
        self._run(which, loops, usage)
        self._meter.add_own(usage.children_cpu)
        return Sample(loops, (usage.reading,))

    def _call(self, which: int) -> Any:
        """Call one of the two once, and return what it returned."""
        return self._calls[which]()

    def _run(self, which: int, loops: int, usage: ProcessUsage) -> None:
        """Call one of the two ``loops`` times, and let ``usage`` read what that took."""
        call, answer = self._calls[which], None
        try:
            with FULL_COLLECTIONS.postponed(), self._raised(usage), usage:
                for _ in range(loops):
                    answer = call()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a skip of pytest too
            raised = Raised(error, "callables", None, 2)
            raised.worker, raised.round = NAMES[which], self._number
            raise raised from None
        FULL_COLLECTIONS.catch_up()
        refuse_lazy(answer, usage.reading.wall / loops)

    def _raised(self, usage: ProcessUsage) -> AbstractContextManager[bool]:
        """Return what gives the thread that enters it a higher priority, and all that works for it, beside others."""
        # On an idle machine, a pool of two processes that is made in each call read as 5% slower with it.
        return self._priority.raised() if usage.short_lived else nullcontext(False)
