"""One test's workers and clocks: makes rounds, probes and controls when asked."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from pytest_concurrency.backends import open_workers
from pytest_concurrency.backends.base import Raised, WorkerGroup
from pytest_concurrency.backends.batch import forget_inputs
from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.core.errors import WorkerLost
from pytest_concurrency.core.model import Body, GilProbe, Interference, Round, Sample
from pytest_concurrency.engine import intervals
from pytest_concurrency.engine.plan import CpuSite, WorkerSetup
from pytest_concurrency.machine import priority, topology
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.cpus import GilWatch, gil_enabled, usable_cpus
from pytest_concurrency.machine.priority import ORDINARY, Priority
from pytest_concurrency.measurement import batch_size
from pytest_concurrency.measurement.ordering import RoundOrder
from pytest_concurrency.measurement.other_threads import OtherThreads
from pytest_concurrency.probes import bystanders, contention_site, gil_heartbeat
from pytest_concurrency.probes.interference import InterferenceMeter

__tracebackhide__ = True  # a failure is told at the test's own line

_LONG_BODY = 0.5  # seconds
_LONG_LOOK = 2.0  # seconds that finding out where time is lost may take
_PATIENCE = 20  # times the expected time of a batch before its workers are given up
_PROBES = ("concurrency-heartbeat", "concurrency-looker")  # threads that watch a batch, and must not be kept from a CPU
_USED_UP = (
    "setup= makes an input for each batch, in which each worker calls the body {loops} times here. "
    "If the body uses its input up, or changes it, let it work on a copy."
)

Progress = Callable[[str], None]


class WorkerBench:
    """The real bench. Close it in the end, whatever happened: it owns threads and processes."""

    def __init__(
        self,
        body: Body,
        around: WorkerEnvironment,
        patience: float,
        progress: Progress | None = None,
        expected: float = 0.0,
        threads_before: Collection[int] | None = None,
    ) -> None:
        """Make no workers yet.

        :param threads_before: the system's numbers of the threads that were there before the body was first called;
            None if it has not been called yet.
        """
        self._body = body
        self._around = around
        self._patience = patience
        self._progress = progress
        self._expected = expected  # seconds of one body, as far as known
        # By the keys of setups.
        self._told: dict[str, float] = {}  # CPU time of workers that live, which the meter was told
        self._groups: dict[str, tuple[int, WorkerGroup]] = {}
        self._loops: dict[str, int] = {}
        self._control_loops: dict[str, int] = {}
        self._first_serial: dict[str, Sample] = {}  # what sizing the batch has measured, for the round that follows
        self._warm: set[str] = set()
        self._helped = False  # whether threads or processes of its own compute for the body
        self._hold_at: str | None = None  # the place of a long hold; found out once
        self._batch = batch_size.shortest()
        self._number = 0
        self._in_threads = True  # whether the workers of the last round run the body in threads that share our GIL
        self._random = random.Random()
        self._order = RoundOrder(self._random)
        self._meter = InterferenceMeter()
        self._cpus = usable_cpus()
        self._cores = topology.cores()
        self._gil = GilWatch()
        if threads_before is None:
            threads_before = bystanders.native_ids(around.borrowed_loop.native_id if around.borrowed_loop else None)
        self._others = OtherThreads(threads_before)

    def now(self) -> float:
        return CLOCKS.wall()

    def sleep(self, seconds: float) -> None:
        CLOCKS.sleep(seconds)

    def prepare(self, setup: WorkerSetup) -> None:
        """Make the workers, warm them up and find out how many bodies make a batch."""
        size, group = self._groups.get(setup.key, (0, None))
        if group is None or size < setup.group_size:
            if self._progress is not None:
                self._progress(f"starting {setup.who()}")
            self._close_group(setup.key)
            if setup.backend == "processes":
                self._close_group("threads")  # so that fork finds a process of one thread
            self._groups[setup.key] = (setup.group_size, open_workers(setup, self._body, self._around))
            self._warm.discard(setup.key)
            self._run(setup, setup.group_size, 1)
            self._warm.add(setup.key)
        if setup.key not in self._loops and setup.method == "pair":
            # A long body is its own batch; finding that out once more would cost a body's time.
            long = self._expected >= _LONG_BODY
            self._loops[setup.key] = 1 if long else self._calibrate(setup, "body")

    def site(self, setup: WorkerSetup) -> CpuSite:
        group = self._groups[setup.key][1]
        if group.cpus is not None:
            return CpuSite(group.cpus, gil_enabled(), group.one_interpreter, at_once=group.at_once)
        return CpuSite(self._cpus, gil_enabled(), group.one_interpreter, self._cores, group.at_once)

    def round(self, setup: WorkerSetup) -> Round:
        """Measure what the setup's method says a round is."""
        self.prepare(setup)
        self._number += 1
        self._in_threads = self._groups[setup.key][1].one_interpreter
        if setup.method == "hold":
            return self._beside_heartbeat(setup)
        if setup.method == "block":
            return self._beside_loop_beat(setup)
        round_ = self._pair(setup, self._loops[setup.key], "body", self._first_serial.pop(setup.key, None))
        self._first_serial.clear()  # by then, anything else has become old
        if round_.serial.wall < self._batch / 4:
            # It has become much faster than it was when its batch was sized: a cache is warm by now.
            self._expected = 0.0
            del self._loops[setup.key]
        return round_

    def _beside_heartbeat(self, setup: WorkerSetup) -> Round:
        """One body, not a batch: bodies one after the other would read as one long hold."""
        ident = self._groups[setup.key][1].idents[0]
        sample, probe = self._probe_hold(setup, 1, longest=True)
        if self._hold_at is None and probe.longest.low > gil_heartbeat.NOTABLE:
            self._hold_at = gil_heartbeat.locate(lambda: self._run(setup, 1, 1, beside=True), ident)
        probe = replace(probe, where=self._hold_at or probe.where)
        return Round(self._number, sample, interference=self._meter.read(), gil=probe, has_gil=gil_enabled())

    def _beside_loop_beat(self, setup: WorkerSetup) -> Round:
        before, active = self._others.bystanders.used(), self._others.bystanders.active()
        sample = self._run(setup, 1, 1, "beat")
        if (
            self._others.bystanders.ask(before, sample.wall, lambda: self._run(setup, 1, 1, "beat").wall)
            == "the body's"
        ):
            active = self._others.bystanders.active()
            sample = self._run(setup, 1, 1, "beat")
        probe = self._groups[setup.key][1].block
        if probe is not None:
            # While these were running, they may have had the GIL that the loop needs, too.
            least = probe.longest.low - (self._others.bystanders.active() - active)
            probe = replace(probe, longest=replace(probe.longest, low=max(0.0, least)))
        return Round(self._number, sample, interference=self._meter.read(), block=probe, has_gil=gil_enabled())

    def control(self, setup: WorkerSetup) -> Round:
        """The same with computing that is known to run in parallel."""
        self.prepare(setup)
        if setup.key not in self._control_loops:
            self._control_loops[setup.key] = self._calibrate(setup, "control")
        return self._pair(setup, self._control_loops[setup.key], "control")

    def probe_gil(self) -> GilProbe | None:
        """Run one batch in one thread beside a heartbeat.

        None without a GIL, of an async body, and where the workers are processes or interpreters: a body that works in
        a main thread only (it handles signals, or uses a connection that is bound to its thread) would raise here,
        though no one has asked for threads.
        """
        if self._body.is_async or not self._in_threads or gil_heartbeat.unavailable() is not None:
            return None
        setup = WorkerSetup("threads")
        self.prepare(setup)
        return self._probe_hold(setup, self._loops[setup.key], longest=False)[1]

    def _probe_hold(self, setup: WorkerSetup, loops: int, longest: bool) -> tuple[Sample, GilProbe]:
        """Run one batch of one worker beside a heartbeat; again, if a thread was the body's that seemed to be none."""
        ident = self._groups[setup.key][1].idents[0]

        def run() -> Sample:
            return self._run(setup, 1, loops, beside=True)

        before = self._others.bystanders.used()
        found = gil_heartbeat.probe(run, ident, self._others.bystanders.ids, longest)
        if self._others.bystanders.ask(before, found[0].wall, lambda: run().wall) == "the body's":
            found = gil_heartbeat.probe(run, ident, self._others.bystanders.ids, longest)
        return found

    def lost_at(self, setup: WorkerSetup) -> str | None:
        """Return where the workers lose time to each other, seen in an extra batch; None if that cannot be seen."""
        group, loops = self._groups[setup.key][1], self._loops.get(setup.key, 1)
        if group.stacks(1) is None or contention_site.unavailable() is not None:
            return None
        if self._expected * loops * (1 + setup.group_size) > _LONG_LOOK:
            return None
        try:
            return contention_site.locate(
                lambda workers: self._run(setup, workers, loops, beside=True), group.stacks, setup.group_size
            )
        except (Raised, WorkerLost):  # the verdict stands without it
            self._close_group(setup.key)
            return None

    def refresh(self, setup: WorkerSetup) -> None:
        """Replace the workers by fresh ones."""
        if setup.backend == "tasks":
            return  # new in every batch; a new loop would break what the body's module has bound to the old one
        self._close_group(setup.key)
        self.prepare(setup)

    def lengthen(self, setup: WorkerSetup) -> None:
        """Make the batches longer, where short ones do not get all workers onto their CPUs."""
        if self._batch < batch_size.longest():
            self._batch = min(self._batch * 2, batch_size.longest())
            self._loops.clear()
            self._control_loops.clear()

    def stagger(self, setup: WorkerSetup) -> None:
        """Let a random number of workers run the body once more: every n-th call must not always be the same arm's."""
        self.prepare(setup)
        if some := self._random.randint(0, setup.workers or 1):
            self._run(setup, some, 1)

    def note(self, setup: WorkerSetup) -> str:
        entry = self._groups.get(setup.key)
        notes = (entry[1].note if entry else "", self._gil.note())
        return "; ".join(note for note in notes if note)

    def interference(self) -> Interference:
        return self._meter.overall()

    def close(self) -> None:
        for key in list(self._groups):
            self._close_group(key)
        forget_inputs()

    def _close_group(self, key: str) -> None:
        _, group = self._groups.pop(key, (0, None))
        if group is not None:
            before = CLOCKS.children_cpu()
            group.close()
            # What ended workers have used now counts as that of this process's children.
            self._meter.add_own(-min(self._told.pop(key, 0.0), CLOCKS.children_cpu() - before))

    def _pair(self, setup: WorkerSetup, loops: int, job: str, serial: Sample | None = None) -> Round:
        """One worker (unless just measured) and several, one right after the other."""
        workers = setup.workers
        if workers is None:
            serial, concurrent = serial or self._run(setup, 1, loops, job), None
        elif self._order.serial_first((setup.key, job), measured=serial is not None):
            serial = serial or self._run(setup, 1, loops, job)
            concurrent = self._run(setup, workers, loops, job)
        else:
            concurrent = self._run(setup, workers, loops, job)
            serial = self._run(setup, 1, loops, job)
        return Round(self._number, serial, concurrent, self._meter.read(), has_gil=gil_enabled())

    def _run(self, setup: WorkerSetup, workers: int, loops: int, job: str = "body", beside: bool = False) -> Sample:
        """Run one batch; ``beside``: a thread of ours runs meanwhile, which is no helper of the body's."""
        group = self._groups[setup.key][1]
        deadline = max(self._patience, _PATIENCE * self._expected * loops * workers)
        try:
            if self._body.prepare is not None and job != "control":
                self._make_inputs(group, workers, deadline)
            may_hand_out = job == "body" and group.one_process and not beside
            watch = self._others.watch() if may_hand_out else None
            with priority.raised(*self._priority(setup.key, beside)):
                sample = group.run(workers, loops, deadline, job)
            if watch is not None:
                judged = self._others.judge(
                    watch, sample, group.begun, lambda: self._run(setup, workers, loops, beside=True)
                )
                self._meter.add_own(watch.helpers.living_children)
                if judged is None:
                    return self._run(setup, workers, loops)
                sample = judged
        except (Raised, WorkerLost) as failure:
            failure.round = self._number
            if isinstance(failure, Raised) and self._body.prepare is not None and loops > 1 and not failure.hint:
                failure.hint = _USED_UP.format(loops=loops)
            raise
        self._helped |= any(reading.accounting == "unseen" for reading in sample.readings)
        used = group.workers_cpu
        self._meter.add_own(used - self._told.get(setup.key, 0.0))
        self._told[setup.key] = used
        return sample

    def _priority(self, key: str, beside: bool) -> tuple[Priority, Sequence[int]]:
        """Return the priority for a batch of a setup, and the threads that have it, besides the one that waits for it.

        Threads and processes that the body starts are ordinary ones. One that polls for what they do would keep them
        from the CPUs, and only the first call, at the ordinary priority, tells whether there are any.
        """
        ids = self._groups[key][1].native_ids
        if not ids or self._helped or key not in self._warm:
            return ORDINARY, ()
        probes = [thread for thread in threading.enumerate() if beside and thread.name in _PROBES]
        return self._around.priority, [*ids, *(thread.native_id for thread in probes if thread.native_id)]

    @staticmethod
    def _make_inputs(group: WorkerGroup, workers: int, deadline: float) -> None:
        try:
            group.run(workers, 1, deadline, "prepare")
        except Raised as raised:
            raised.hint = "in the function given as setup="
            raise

    def _calibrate(self, setup: WorkerSetup, job: str) -> int:
        """Return how many bodies make a batch of ``_batch`` seconds, from measured time."""
        loops = 1
        while True:
            sample = self._run(setup, 1, loops, job)
            seconds = intervals.quiet_time(sample.readings[0])
            if job == "body":
                self._expected = seconds / loops
            if seconds >= 0.8 * self._batch:
                if loops == 1 and job == "body":
                    self._first_serial[setup.key] = sample
                return loops
            # A tenfold step at most: the first calls are often slow, or fast, in a way of their own.
            loops = min(loops * 10, max(loops + 1, math.ceil(loops * self._batch / seconds)))
