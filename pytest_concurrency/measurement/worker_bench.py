"""The bench of one test body: workers that run rounds, probes and the reference workload."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import replace

from pytest_concurrency.backends import open_workers
from pytest_concurrency.backends.base import Raised, WorkerGroup
from pytest_concurrency.backends.batch import forget_inputs, used_up
from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.core.errors import WorkerLost
from pytest_concurrency.core.leftovers import Leftover
from pytest_concurrency.core.model import Body, GilProbe, Round, Sample
from pytest_concurrency.engine import readings
from pytest_concurrency.engine.plan import CpuSite, WorkerSetup
from pytest_concurrency.machine import topology
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.cpus import GilWatch, gil_enabled
from pytest_concurrency.machine.full_collections import FULL_COLLECTIONS
from pytest_concurrency.measurement import batch_size, ordinary_batch, probed_batches, worker_indices
from pytest_concurrency.measurement.base_bench import BaseBench
from pytest_concurrency.measurement.batch_priority import BatchPriority
from pytest_concurrency.measurement.left_elsewhere import told_by
from pytest_concurrency.measurement.other_threads import OtherThreads, unless_contended
from pytest_concurrency.measurement.single_calls import SingleCalls
from pytest_concurrency.probes import contention_site, gil_heartbeat
from pytest_concurrency.probes.ended_tasks import ENDED
from pytest_concurrency.probes.leftovers import Leftovers
from pytest_concurrency.probes.process_threads import HELP

__tracebackhide__ = True  # pytest shows a failure at the line of the test

_LONG_BODY = 0.5  # seconds; a longer call is a batch of its own: calibrating would cost the time of another call
_LONG_LOOK = 2.0  # seconds that finding out where time is lost may take
_PATIENCE = 20  # workers are given up after this many times the expected time of a batch


class WorkerBench(BaseBench):
    """Measures one body in workers. Always close it in the end: it owns threads and processes."""

    def __init__(
        self,
        body: Body,
        around: WorkerEnvironment,
        patience: float,
        progress: Callable[[str], None] | None = None,
        expected: float = 0.0,
        before: Leftovers | None = None,
    ) -> None:
        """Start no workers yet; ``before`` is from before the body's first call, or None if there was none."""
        super().__init__(before or Leftovers(around.borrowed_loop.native_id if around.borrowed_loop else None))
        self._body = body
        self._around = around
        self._patience = patience
        self._progress = progress or (lambda text: None)
        self._expected = expected  # seconds of one call of the body, as far as known
        self._told: dict[str, float] = {}  # by the keys of setups: CPU time of live workers, as reported to the meter
        self._groups: dict[str, tuple[int, WorkerGroup]] = {}  # by the keys of setups, like all below
        self._loops: dict[str, int] = {}
        self._control_loops: dict[str, int] = {}
        self._at_once_loops: dict[str, int] = {}  # of concurrent batches that must last for some time
        self._short = batch_size.ShortRounds()
        self._first_serial: dict[str, Sample] = {}  # the serial batch that sizing has measured, for the next round
        self._warm: set[str] = set()
        self._helped = False  # whether threads or processes that the body uses compute for it
        self._hold_at: str | None = None  # the place of a long hold; located only once
        self._in_threads = True  # whether the last round's workers run the body in threads of this interpreter
        self._by_index = False  # whether the body depends on the index of its worker
        self._workers = 1  # of the latest setup that has several
        self._cores = topology.cores()
        self._single_calls = SingleCalls(self._random)
        self._gil = GilWatch()
        self._others = OtherThreads(self._leftovers.bystanders)
        self._priority = BatchPriority(around.priority, self._others.bystanders)

    def prepare(self, setup: WorkerSetup) -> None:
        """Start the workers, warm them up and find out how many calls make a batch."""
        self._workers = setup.workers or self._workers
        size, group = self._groups.get(setup.key, (0, None))
        if group is None or size < setup.group_size:
            self._progress(f"starting {setup.who()}")
            self._close_group(setup.key)
            if setup.backend == "processes" or setup.executor is not None:
                for key in [key for key, (_, other) in self._groups.items() if other.in_this_process]:
                    self._close_group(key)  # so that the process that forks has a single thread
            self._groups[setup.key] = (setup.group_size, open_workers(setup, self._body, self._around))
            self._warm.discard(setup.key)
            try:
                first = ordinary_batch.needs_others(self._groups[setup.key][1], self._priority.spare_others)
                with self._leftovers.recording(), first as take:
                    take(self._run(setup, setup.group_size, 1))
            except BaseException:  # without this, its workers would stay without a warm-up
                self._close_group(setup.key)
                raise
            self._warm.add(setup.key)
            self._busy = readings.busy(self._meter.read())
        if setup.key not in self._loops and setup.method == "pair":
            long = self._expected >= _LONG_BODY
            self._loops[setup.key] = 1 if long or setup.key in self._single_calls else self._calibrate(setup, "body")

    def site(self, setup: WorkerSetup) -> CpuSite:
        group = self._groups[setup.key][1]
        cpus, cores = (self._cpus, self._cores) if group.cpus is None else (group.cpus, None)
        right = self._priority.needs_right
        return CpuSite(cpus, gil_enabled(), group.one_interpreter, cores, group.at_once, group.pinned, right)

    def round(self, setup: WorkerSetup) -> Round:
        """Measure one round by the setup's method."""
        self.prepare(setup)
        self._number += 1
        self._in_threads = self._groups[setup.key][1].one_interpreter
        if self._priority.shared(self._helped) and self._busy and not self._priority.knows_helpers:
            self._first_serial.clear()  # it was measured at the ordinary priority
            with self._priority.learning():
                self._run(setup, setup.group_size, 1)
        if setup.method != "pair":
            return self._longest(setup)
        known = self._by_index
        round_ = self._pair(setup, self._loops[setup.key], "body", self._first_serial.pop(setup.key, None))
        if self._by_index and not known:  # the serial batch ran the first worker's body only
            self._loops.clear()
            self.prepare(setup)
            round_ = self._pair(setup, self._loops[setup.key], "body")
        self._first_serial.clear()  # serial batches of other setups are outdated by now
        if setup.sustained and round_.concurrent is not None:
            most = self._loops[setup.key]
            self._at_once_loops[setup.key] = batch_size.sustained_loops(most, round_.concurrent, setup.sustained)
        wanted = max(self._batch, setup.sustained)
        if setup.key not in self._single_calls and self._short.are_many(setup.key, round_.serial.wall, wanted):
            # The body is much faster now than when its batch was sized: a cache has become warm.
            self._expected = 0.0
            del self._loops[setup.key]
        return round_

    def _longest(self, setup: WorkerSetup) -> Round:
        """Probe one call, not a batch: calls one after the other would read as one long hold."""
        gil, block, (_, group) = None, None, self._groups[setup.key]
        with ENDED.watching():
            if setup.method == "hold":
                sample, gil = self._probe_hold(setup, 1, longest=True)
            else:
                sample, block = probed_batches.beside_loop_heartbeat(
                    lambda: self._run(setup, 1, 1, "beat"), lambda: group.block, self._others.bystanders
                )
        if gil is not None and self._hold_at is None and gil.longest.low > gil_heartbeat.NOTABLE:
            most = 1 if self._body.prepare else probed_batches.CALLS
            again = functools.partial(self._run, setup, 1, beside=True)
            self._hold_at = probed_batches.place_of_hold(again, group.idents[0], most, sample.wall)
        gil = gil and replace(gil, where=self._hold_at or None)  # a probe may see the body at the next line
        self._helped |= (probe := gil or block) is not None and probe.others_cpu > HELP
        return self._round_of(sample, gil=gil, block=block)

    def control(self, setup: WorkerSetup) -> Round:
        """Measure one round of the reference workload, which is known to run in parallel."""
        self.prepare(setup)
        if setup.key not in self._control_loops:
            self._control_loops[setup.key] = self._calibrate(setup, "control")
        return self._pair(setup, self._control_loops[setup.key], "control")

    def probe_gil(self) -> GilProbe | None:
        """Run one batch in one thread while the GIL is probed.

        None without a GIL, for an async body, and where the workers are processes or interpreters: a body that works
        only in a main thread (it handles signals, or uses a connection that is bound to its thread) would raise here,
        although the test does not use threads.
        """
        if self._body.is_async or not self._in_threads or gil_heartbeat.unavailable() is not None:
            return None
        setup = WorkerSetup("threads")
        self.prepare(setup)
        return self._probe_hold(setup, self._loops[setup.key], longest=False)[1]

    def _probe_hold(self, setup: WorkerSetup, loops: int, longest: bool) -> tuple[Sample, GilProbe]:
        bodies = None if longest else self._workers
        return probed_batches.beside_heartbeat(
            lambda: self._run(setup, 1, loops, beside=True, bodies=bodies),
            self._groups[setup.key][1].idents[0],
            self._others.bystanders,
            longest,
        )

    def lost_at(self, setup: WorkerSetup) -> str | None:
        """Return where the workers lose time to each other, from extra batches; None if that cannot be seen."""
        group, loops = self._groups[setup.key][1], self._loops.get(setup.key, 1)
        takes = self._expected * loops * (1 + setup.group_size)
        if takes > _LONG_LOOK or group.stacks(1) is None or contention_site.unavailable() is not None:
            return None
        try:
            return contention_site.locate(
                lambda workers: self._run(setup, workers, loops, beside=True), group.stacks, setup.group_size
            )
        except (Raised, WorkerLost):  # the verdict does not depend on it
            self._close_group(setup.key)
            return None

    def refresh(self, setup: WorkerSetup) -> None:
        """Replace the workers with newly started ones."""
        if setup.one_thread:
            return  # tasks are new in every batch; a new loop breaks what the body's module has bound to the old one
        self._close_group(setup.key)
        self.prepare(setup)

    def lengthen(self, setup: WorkerSetup) -> None:
        """Make the batches longer, where short ones do not get all workers onto their CPUs."""
        if not setup.sustained and self._lengthened():
            self._loops.clear()
            self._control_loops.clear()

    def one_call(self, setup: WorkerSetup, serial_calls: int) -> bool:
        """Make each batch one call, and a serial run ``serial_calls`` of them; very short calls keep their batches."""
        if self._expected < batch_size.SHORTEST_CALL or setup.sustained:
            return False
        longer = self._loops.get(setup.key, 1) > 1
        self._loops[setup.key] = 1
        # An input from setup= serves one batch, and bodies that depend on their worker's index all run in each batch.
        one_batch = self._body.prepare is not None or self._by_index
        self._single_calls.make(setup.key, None if one_batch else serial_calls)
        return longer

    def stagger(self, setup: WorkerSetup, most: int) -> None:
        """Make a random number of calls more, up to ``most``: a slow n-th call must not always be in the same batch."""
        self.prepare(setup)
        if not self._single_calls.vary(setup.key, most) and (some := self._random.randint(0, most)):
            self._run(setup, some, 1)

    def note(self, setup: WorkerSetup) -> str:
        entry = self._groups.get(setup.key)
        differ = worker_indices.NOTE if self._by_index and setup.workers else ""
        return "; ".join(filter(None, (entry[1].note if entry else "", differ, self._gil.note())))

    def _left_elsewhere(self) -> Iterable[Leftover]:
        return told_by(self._groups, self._close_group)

    def close(self) -> None:
        for key in list(self._groups):
            self._close_group(key)
        self._priority.close()
        forget_inputs()

    def _close_group(self, key: str) -> None:
        _, group = self._groups.pop(key, (0, None))
        if group is not None:
            before = CLOCKS.children_cpu()
            group.close()
            # The CPU time of ended workers is now part of the children's, and would otherwise count twice.
            self._meter.add_own(-min(self._told.pop(key, 0.0), CLOCKS.children_cpu() - before))

    def _pair(self, setup: WorkerSetup, loops: int, job: str, serial: Sample | None = None) -> Round:
        """Run one worker (unless ``serial`` was just measured) and several, one right after the other."""
        workers = setup.workers
        at_once = self._at_once_loops.get(setup.key, loops) if job == "body" else loops
        serial_loops = self._single_calls.next(setup.key, loops) if job == "body" else loops
        if workers is None:
            return self._round_of(serial or self._run(setup, 1, loops, job))
        return self._round_of(
            *self._ordered(
                lambda: self._run(setup, 1, serial_loops, job),
                lambda: self._run(setup, workers, at_once, job),
                (setup.key, job),
                measured=serial,
            )
        )

    def _run(
        self,
        setup: WorkerSetup,
        workers: int,
        loops: int,
        job: str = "body",
        beside: bool = False,
        bodies: int | None = None,
        as_usual: bool = False,
    ) -> Sample:
        """Run one batch, ``beside`` a thread of this plugin, which is then not a helper of the body.

        :param as_usual: whether it runs at the ordinary priority.
        :param bodies: if bodies differ: for how many workers a single one runs them; by default, for the setup's.
        """
        group = self._groups[setup.key][1]
        alone = workers == 1 and job == "body"
        turns = (bodies or setup.group_size) if alone and self._by_index else 1
        calls = loops if alone and not self._by_index and setup.key in self._single_calls else 0  # each a batch
        deadline = max(self._patience, _PATIENCE * self._expected * loops * max(workers, turns))
        try:
            if self._body.prepare is not None and job != "control":
                self._make_inputs(group, workers, deadline, turns)
            known = group.native_ids if setup.key in self._warm and not as_usual else ()
            longest = 2 * deadline * max(1, calls)
            higher = self._priority.raised(known, longest, beside or job == "beat", self._helped, self._busy)
            watch = self._others.watch(self._busy) if job == "body" and group.one_process and not beside else None
            group.reads_helpers_delay = self._busy
            with FULL_COLLECTIONS.postponed(), watch.helpers if watch else nullcontext(), higher as realtime:
                batches = [group.run(*size, deadline, job, turns) for size in [(1, 1)] * calls or [(workers, loops)]]
            sample = batch_size.joined(batches, self._priority.exclusive)
            if watch is not None:
                again = functools.partial(self._run, setup, workers, loops, beside=True)
                judged = self._others.judge(watch, sample, group.native_ids, group.begun, again, bool(realtime))
                self._meter.add_own(watch.helpers.living_children)
                if judged is None:
                    return self._run(setup, workers, loops, bodies=bodies, as_usual=as_usual)
                sample = judged
            elif realtime:
                sample = unless_contended(sample)
            if realtime and (workers > 1 or setup.workers is None):
                self._priority.note(contended=sample.readings[0].accounting == "unclear")
        except (Raised, WorkerLost) as failure:
            failure.round = self._number
            if isinstance(failure, Raised) and self._body.prepare is not None and loops > 1 and not failure.hint:
                failure.hint = used_up(loops)
            raise
        FULL_COLLECTIONS.catch_up()
        # With less CPU time, a worker's start looks like help, and short bodies would never get a higher priority.
        telling = sample.cpu > batch_size.SHORTEST / 2
        self._helped |= telling and any(reading.with_helpers for reading in sample.readings)
        used = group.workers_cpu
        self._meter.add_own(used - self._told.get(setup.key, 0.0))
        self._told[setup.key] = used
        self._by_index = self._by_index or worker_indices.depends_on_index(sample)
        return worker_indices.mean_body(sample)

    def _make_inputs(self, group: WorkerGroup, workers: int, deadline: float, turns: int) -> None:
        try:
            sample = group.run(workers, 1, deadline, "prepare", turns)
            self._by_index = self._by_index or worker_indices.depends_on_index(sample)
        except Raised as raised:
            raised.hint = "in the function given as setup="
            raise

    def _calibrate(self, setup: WorkerSetup, job: str) -> int:
        """Return how many calls make a batch that is long enough, from measured times."""
        loops, first = 1, job == "body"
        while True:
            sample = self._run(setup, 1, loops, job, as_usual=first)
            if first and ordinary_batch.has_short_waits(sample.readings[0]):
                self._priority.keep_timers()
            seconds = readings.quiet_time(sample.readings[0])
            if job == "body":
                self._expected = seconds / loops
            batch = max(self._batch, setup.sustained) if job == "body" else self._batch
            if seconds >= 0.8 * batch:
                # On a busy machine, one at the ordinary priority would be unlike those of later rounds.
                if (first and not self._busy) or (setup.sustained and job == "body" and not first):
                    self._first_serial[setup.key] = sample
                # After one short call, ten are tried, which may take far longer than a batch should.
                return loops if seconds < 2 * batch or setup.sustained else max(1, math.ceil(loops * batch / seconds))
            loops, first = batch_size.next_loops(loops, seconds, batch), False
