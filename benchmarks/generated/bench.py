"""A bench for the measuring loop whose workers, clocks and counters are those of the simulated machine.

It sizes batches, alternates the two sides and reads counters as the real bench does, in no time.
"""

from __future__ import annotations

import functools
import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from generated import loads
from generated import machine as m
from generated.loads import Load
from generated.machine import Interpreter, Machine, Program, Resource, Thread
from generated.programs import Beat, Process
from generated.recipes import Recipe
from generated.truth import CPUS, own_gil
from pytest_concurrency.core.model import BlockProbe, GilProbe, Interference, Interval, Reading, Round, Sample
from pytest_concurrency.engine import intervals
from pytest_concurrency.engine.plan import CpuSite, WorkerSetup
from pytest_concurrency.measurement import batch_size
from pytest_concurrency.measurement.ordering import RoundOrder
from pytest_concurrency.probes import gil_heartbeat, helper_threads

REFERENCE = 0.00035  # seconds that the reference workload computes, GIL released
WINDOW, TICK = 0.1, 0.01  # seconds of a window of interference, and of the kernel's ticks
BETWEEN = 0.0004  # seconds between two batches
PATIENCE = 2.0  # switch interval during a probe of the GIL
BEAT, LOOP_BEAT, LOOP_SLACK = 0.0005, 0.002, 0.0005
FRESH = 0.003  # seconds until fresh workers have started
SHORT_ROUNDS = 3
SHORTEST_CALL = 0.002  # seconds of a call that is a batch of its own


class SimulatedBench:
    """One recipe's workers beside one load. Everything follows from the seed."""

    def __init__(self, recipe: Recipe, load: Load, seed: str) -> None:
        self.recipe, self.load = recipe, load
        self.rng = rng = random.Random(f"bench {seed}")
        self.machine = Machine(CPUS, rng, loads.crowd(load, rng))
        self.everywhere: dict[object, Resource] = {}
        self.loops: dict[str, int] = {}
        self.first: Sample | None = None
        self.serial_calls = 0  # in a round of batches of one call; 0 for batches of several
        self.expected = 0.0  # seconds of a call
        self.short = 0  # rounds in a row with a batch much shorter than it was sized
        self.batch = batch_size.SHORTEST
        self.order = RoundOrder(rng)
        self.number = 0
        self.warm = False
        self.many_processes = own_gil(recipe) and recipe.backend != "interpreters"
        loads.start(load, self.machine, rng)
        self.base = self.began = self._counters()
        self.last = Interference()
        self._start_workers()
        program = self.processes[0].fixture()
        if program is not None:
            self.machine.spawn(program, Interpreter() if own_gil(recipe) else self.processes[0].gil, "bystander")

    def _start_workers(self) -> None:
        number = self.recipe.workers if own_gil(self.recipe) else 1
        kept = getattr(self, "processes", None)
        if kept is not None and number == 1:  # fresh threads have no caches; their process has
            kept[0].warm.clear()
            return
        self.processes = [
            Process(self.recipe, self.machine, self.rng, self.everywhere, number=which) for which in range(number)
        ]

    # What the measuring loop asks for.

    def now(self) -> float:
        return self.machine.now

    def sleep(self, seconds: float) -> None:
        self.machine.advance(seconds)

    def prepare(self, setup: WorkerSetup) -> None:
        if not self.warm:
            self.warm = True
            self._run(setup, setup.group_size, 1)
        if "body" not in self.loops and setup.method == "pair":
            self.loops["body"] = 1 if self.serial_calls else self._calibrate(setup, "body")

    def site(self, setup: WorkerSetup) -> CpuSite:
        return CpuSite(float(CPUS), True, not own_gil(self.recipe), CPUS)

    def round(self, setup: WorkerSetup) -> Round:
        self.prepare(setup)
        self.number += 1
        if setup.method == "hold":
            sample, gil = self._beside_heartbeat(setup, 1)
            return Round(self.number, sample, interference=self._read(), gil=gil)
        if setup.method == "block":
            sample, block = self._beside_loop_beat()
            return Round(self.number, sample, interference=self._read(), block=block)
        serial, self.first = self.first, None
        round_ = self._pair(setup, self.loops["body"], "body", serial)
        self.short = self.short + 1 if round_.serial.wall < self.batch / 4 and not self.serial_calls else 0
        if self.short >= SHORT_ROUNDS:
            del self.loops["body"]
        return round_

    def control(self, setup: WorkerSetup) -> Round:
        if "control" not in self.loops:
            self.loops["control"] = self._calibrate(setup, "control")
        return self._pair(setup, self.loops["control"], "control", None)

    def probe_gil(self) -> GilProbe | None:
        if self.recipe.backend == "tasks":
            return None
        setup = WorkerSetup("threads")
        loops = self.loops.get("body", 1)
        return self._beside_heartbeat(setup, loops)[1]

    def refresh(self, setup: WorkerSetup) -> None:
        if setup.renewable:
            self.machine.advance(FRESH)
            self._start_workers()
            self.warm = False
            self.prepare(setup)

    def lengthen(self, setup: WorkerSetup) -> None:
        if self.batch < batch_size.LONGEST:
            self.batch = min(2 * self.batch, batch_size.LONGEST)
            self.loops.clear()

    def one_call(self, setup: WorkerSetup, serial_calls: int) -> bool:
        if self.expected < SHORTEST_CALL:
            return False
        longer = self.loops.get("body", 1) > 1
        self.loops["body"] = 1
        self.serial_calls = 1 if self.recipe.setup else serial_calls
        return longer

    def stagger(self, setup: WorkerSetup) -> None:
        if self.serial_calls:
            if some := self.rng.randint(0, 2):
                self._run(setup, 1, some)
        elif some := self.rng.randint(0, setup.workers or 1):
            self._run(setup, some, 1)

    def note(self, setup: WorkerSetup) -> str:
        return "simulated"

    def interference(self) -> Interference:
        return self._between(self.began, self._counters())

    # Batches

    def _pair(self, setup: WorkerSetup, loops: int, job: str, serial: Sample | None) -> Round:
        workers = setup.workers
        concurrent = None
        if workers is None:
            serial = serial or self._run(setup, 1, loops, job)
        elif self.order.serial_first(job, measured=serial is not None):
            serial = serial or self._serial(setup, loops, job)
            concurrent = self._run(setup, workers, loops, job)
        else:
            concurrent = self._run(setup, workers, loops, job)
            serial = self._serial(setup, loops, job)
        return Round(self.number, serial, concurrent, self._read())

    def _serial(self, setup: WorkerSetup, loops: int, job: str) -> Sample:
        if job != "body" or not self.serial_calls:
            return self._run(setup, 1, loops, job)
        return joined([self._run(setup, 1, 1, job) for _ in range(self.serial_calls)])

    def _calibrate(self, setup: WorkerSetup, job: str) -> int:
        loops = 1
        while True:
            sample = self._run(setup, 1, loops, job)
            seconds = intervals.quiet_time(sample.readings[0])
            if job == "body":
                self.expected = seconds / loops
            if seconds >= 0.8 * self.batch:
                if loops == 1 and job == "body":
                    self.first = sample
                return loops
            loops = min(loops * 10, max(loops + 1, math.ceil(loops * self.batch / seconds)))

    def _run(self, setup: WorkerSetup, workers: int, loops: int, job: str = "body") -> Sample:
        self.machine.advance(BETWEEN)
        if self.recipe.setup and job == "body":
            self._make_inputs(workers)
        before = [self._helpers(index) for index in range(workers)]
        if self.recipe.backend == "tasks":
            readings = self._tasks(workers, loops, job)
        else:
            readings = self._threads(workers, loops, job)
        sample = Sample(loops, readings)
        if job != "body":
            return sample
        helpers = [self._helpers(index) - spent for index, spent in enumerate(before)]
        if not self.many_processes:
            return self._credited(sample, helpers[0])
        credited = [helper_threads.credit([reading], cpu)[0] for reading, cpu in zip(readings, helpers, strict=True)]
        return replace(sample, readings=tuple(credited))

    def _make_inputs(self, workers: int) -> None:
        def make(me: Thread) -> Program:
            yield (m.COMPUTE, self.recipe.setup, m.PYTHON)

        machine = self.machine
        makers = [machine.spawn(make, self._process(index).gil, "setup") for index in range(workers)]
        machine.run_until_done(makers)

    def _helpers(self, index: int = 0) -> float:
        """What was computed for the workers of a process, as far as its counters show."""
        number = self._process(index).number
        if self.many_processes:
            return sum(self.machine.spent_by(f"{role} {number}") for role in ("helper", "child"))
        # The server is a child of the session.
        roles = [f"{role} {process.number}" for process in self.processes for role in ("helper", "child")]
        return sum(self.machine.spent_by(role) for role in (*roles, "server", "bystander"))

    def _credited(self, sample: Sample, helpers: float) -> Sample:
        """What helpers computed is the workers'; what the process computes without a body as well is not."""
        recipe = self.recipe
        background = {"computes": 0.15, "ticks": 0.02}.get(recipe.fixture, 0.0)
        if background * sample.wall > 0.25 * helpers:
            return sample
        return replace(sample, readings=helper_threads.credit(sample.readings, helpers))

    def _process(self, index: int) -> Process:
        return self.processes[index % len(self.processes)]

    def _threads(self, workers: int, loops: int, job: str) -> tuple[Reading, ...]:
        machine, found = self.machine, {}
        threads = [
            machine.spawn(functools.partial(self._batch, index, loops, job, found), self._process(index).gil, "worker")
            for index in range(workers)
        ]
        machine.run_until_done(threads)
        return tuple(found[index] for index in range(workers))

    def _batch(self, index: int, loops: int, job: str, found: dict[int, Reading], me: Thread) -> Program:
        machine, process = self.machine, self._process(index)
        start, late, switches, cpu = machine.now, me.delay, me.switches, machine.cpu_time_of(me)
        ends = []
        for _ in range(loops):
            if job == "control":
                yield (m.COMPUTE, REFERENCE, m.FREES)
            else:
                yield from process.call(index, self.recipe.workers)
            ends.append(machine.now)
        cpu = machine.cpu_time_of(me) - cpu
        if self.load.reads_delay:
            found[index] = Reading(start, machine.now, cpu, me.delay - late, late, me.switches - switches)
        else:
            found[index] = Reading(start, machine.now, cpu)

    def _tasks(self, workers: int, loops: int, job: str) -> tuple[Reading, ...]:
        machine, process = self.machine, self.processes[0]
        ends = [0.0] * workers
        found: list[Reading] = []

        def program(me: Thread) -> Program:
            start, late, switches, cpu = machine.now, me.delay, me.switches, machine.cpu_time_of(me)
            calls = [self._calls(index, loops, job) for index in range(workers)]
            yield from process.event_loop(me, calls, ends)
            cpu = machine.cpu_time_of(me) - cpu
            told = (me.delay - late, late, me.switches - switches) if self.load.reads_delay else (None, None, None)
            found.append(Reading(start, machine.now, cpu, *told, ends=tuple(ends) if job == "body" else ()))

        machine.run_until_done([machine.spawn(program, process.gil, "worker")])
        return tuple(found)

    def _calls(self, index: int, loops: int, job: str) -> Iterator[tuple[Any, ...]]:
        for _ in range(loops):
            if job == "control":
                yield (m.COMPUTE, REFERENCE, m.FREES)
            else:
                yield from self.processes[0].coroutine(index, self.recipe.workers)

    # Probes

    def _beside_heartbeat(self, setup: WorkerSetup, loops: int) -> tuple[Sample, GilProbe]:
        machine, process = self.machine, self._process(0)
        bystanders = machine.spent_by("bystander") if process.gil is self.processes[0].gil else 0.0
        wakeups: list[gil_heartbeat.Wakeup] = []
        watched: list[Thread] = []
        ready: list[bool] = []
        stopping: list[bool] = []

        tried: list[float] = []

        def beat(me: Thread) -> Program:
            while not self.load.reads_delay and len(tried) < 3:
                due = machine.now + BEAT
                yield (m.SLEEP, BEAT)
                tried.append(machine.now - due)
            ready.append(True)
            while not stopping:
                cpu = machine.cpu_time_of(watched[0]) if watched else 0.0
                delay, switches, due = me.delay, me.switches, machine.now + BEAT
                yield (m.SLEEP, BEAT)
                computed = (machine.cpu_time_of(watched[0]) - cpu) if watched else 0.0
                told = (me.delay - delay, me.switches - switches) if self.load.reads_delay else (0.0, None)
                wakeups.append(gil_heartbeat.Wakeup(due, machine.now - due, told[0], computed, told[1]))

        def body(me: Thread) -> Program:
            watched.append(me)
            yield from self._batch(0, loops, "body", found, me)

        found: dict[int, Reading] = {}
        probe = machine.spawn(beat, process.gil, "probe")
        while not ready:
            machine.advance(BEAT)
        usual, process.gil.interval = process.gil.interval, PATIENCE
        before = self._helpers()
        machine.run_until_done([machine.spawn(body, process.gil, "worker")])
        helpers = self._helpers() - before
        process.gil.interval = usual
        stopping.append(True)
        machine.run_until_done([probe])
        sample = (
            self._credited(Sample(loops, (found[0],)), helpers)
            if setup.method == "hold"
            else Sample(loops, (found[0],))
        )
        others = 0.0 if own_gil(self.recipe) else machine.spent_by("bystander") - bystanders
        beside = gil_heartbeat.Wakeups(tuple(wakeups), max(tried, default=0.0), others)
        return sample, gil_heartbeat.summarize(found[0], beside)

    def _beside_loop_beat(self) -> tuple[Sample, BlockProbe]:
        machine, process = self.machine, self.processes[0]
        found: list[Reading] = []
        bounds = [0.0, 0.0]
        bystanders = machine.spent_by("bystander")

        def program(me: Thread) -> Program:
            start, late, switches, cpu = machine.now, me.delay, me.switches, machine.cpu_time_of(me)
            last = [machine.now, me.delay]

            def note() -> None:
                gap, waited = machine.now - last[0], me.delay - last[1] if self.load.reads_delay else 0.0
                bounds[1] = max(bounds[1], gap)
                bounds[0] = max(bounds[0], gap - waited - LOOP_BEAT - LOOP_SLACK)
                last[:] = machine.now, me.delay

            yield from process.event_loop(me, [process.coroutine(0, 1)], [0.0], Beat(LOOP_BEAT, note))
            note()
            cpu = machine.cpu_time_of(me) - cpu
            told = (me.delay - late, late, me.switches - switches) if self.load.reads_delay else (None, None, None)
            found.append(Reading(start, machine.now, cpu, *told))

        before = self._helpers()
        machine.advance(BETWEEN)
        machine.run_until_done([machine.spawn(program, process.gil, "worker")])
        low = max(0.0, bounds[0] - (machine.spent_by("bystander") - bystanders))
        sample = self._credited(Sample(1, tuple(found)), self._helpers() - before)
        return sample, BlockProbe(Interval(low, max(low, bounds[1])))

    # The machine's counters

    def _counters(self) -> tuple[float, float, float]:
        return self.machine.now, self.machine.spent_by("other"), self.machine.stolen

    def _read(self) -> Interference:
        if self.machine.now - self.base[0] >= WINDOW:
            now = self._counters()
            self.last, self.base = self._between(self.base, now), now
        return self.last

    def _between(self, before: tuple[float, float, float], after: tuple[float, float, float]) -> Interference:
        wall = max(after[0] - before[0], 1e-6)
        if not self.load.reads_foreign:
            return Interference()
        foreign, stolen = (self._ticks(after[which] - before[which]) / wall for which in (1, 2))
        return Interference(foreign, stolen, None)

    def _ticks(self, seconds: float) -> float:
        return TICK * math.floor(seconds / TICK + self.rng.random())


def joined(samples: list[Sample]) -> Sample:
    """Batches of a single worker as one, as if each had begun when the one before it ended."""
    readings = [sample.readings[0] for sample in samples]
    first = readings[0]
    if len(readings) == 1:
        return samples[0]
    ends = tuple(first.start + seconds for seconds in itertools.accumulate(reading.wall for reading in readings))
    known = first.delay is not None
    whole = Reading(
        first.start,
        ends[-1],
        sum(reading.cpu for reading in readings),
        sum(reading.delay or 0.0 for reading in readings) if known else None,
        first.late,
        sum(reading.switches or 0 for reading in readings) if known else None,
        max((reading.accounting for reading in readings), key=("one", "seen", "native", "unclear", "unseen").index),
        ends,
    )
    return Sample(sum(sample.loops for sample in samples), (whole,))
