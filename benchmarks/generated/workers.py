"""Simulated workers of one recipe beside one load: their batches, and the readings of them."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from generated import loads
from generated import machine as m
from generated.loads import Load
from generated.machine import Interpreter, Machine, Program, Resource, Thread
from generated.programs import Process
from generated.recipes import Recipe
from generated.truth import CPUS, own_gil
from pytest_concurrency.core.model import Interference, Reading, Sample
from pytest_concurrency.engine import readings as engine_readings
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.measurement import batch_size, worker_indices
from pytest_concurrency.measurement.ordering import RoundOrder
from pytest_concurrency.measurement.single_calls import SingleCalls
from pytest_concurrency.probes import helper_threads

REFERENCE = 0.00035  # seconds that the reference workload computes, GIL released
WINDOW, TICK = 0.1, 0.01  # seconds of a window of interference, and of the kernel's ticks
CROWDED = 0.1  # part of a batch's time
BETWEEN = 0.0004  # seconds between two batches


class Workers:
    """One recipe's workers beside one load. Everything follows from the seed."""

    def __init__(self, recipe: Recipe, load: Load, seed: str) -> None:
        self.recipe, self.load = recipe, load
        self.rng = rng = random.Random(f"bench {seed}")
        self.machine = Machine(CPUS, rng, loads.crowd(load, rng))
        self.everywhere: dict[object, Resource] = {}
        self.loops: dict[str, int] = {}
        self.first: Sample | None = None
        self.single_calls = SingleCalls(rng)
        self.expected = 0.0  # seconds of a call
        self.short = 0  # rounds in a row with a batch much shorter than it was sized
        self.batch = batch_size.SHORTEST
        self.order = RoundOrder(rng)
        self.number = 0
        self.warm = False
        self.by_index = recipe.vary == "index"
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

    def _run(self, setup: WorkerSetup, workers: int, loops: int, job: str = "body") -> Sample:
        self.machine.advance(BETWEEN)
        if self.recipe.setup and job == "body":
            self._make_inputs(workers)
        before = [self._helpers(index) for index in range(workers)]
        waited = [self._helpers_delay(index) for index in range(workers)]
        bystanders = self.machine.spent_by("bystander")
        bodies = [[index] for index in range(workers)]
        if workers == 1 and job == "body" and self.by_index:
            bodies = [list(range(setup.group_size))]
        if self.recipe.backend == "tasks":
            readings = self._tasks(bodies, loops, job)
        else:
            readings = self._threads(bodies, loops, job)
        sample = self._beside(Sample(loops, readings), self.machine.spent_by("bystander") - bystanders)
        if job != "body":
            return sample
        helpers = [self._helpers(index) - spent for index, spent in enumerate(before)]
        delays: list[float | None] = [None] * workers
        if self.load.reads_delay and self.last.others is not None and engine_readings.busy(self.last):
            delays = [self._helpers_delay(index) - past for index, past in enumerate(waited)]
        if not self.many_processes:
            return worker_indices.mean_body(self._credited(sample, helpers[0], delays[0]))
        each = zip(readings, helpers, delays, strict=True)
        credited = [helper_threads.credit([reading], cpu, delay)[0] for reading, cpu, delay in each]
        return worker_indices.mean_body(replace(sample, readings=tuple(credited)))

    def _beside(self, sample: Sample, computed: float) -> Sample:
        """Tell for how long a bystander may have held the workers' GIL, where that is notable."""
        if own_gil(self.recipe) or computed <= CROWDED * sample.wall:
            return sample
        return replace(sample, gil_taken=computed)

    def _make_inputs(self, workers: int) -> None:
        def make(me: Thread) -> Program:
            yield (m.COMPUTE, self.recipe.setup, m.PYTHON)

        machine = self.machine
        makers = [machine.spawn(make, self._process(index).gil, "setup") for index in range(workers)]
        machine.run_until_done(makers)

    def _helpers(self, index: int = 0) -> float:
        """What was computed for the workers of a process, as far as its counters show."""
        bystanders = () if self.many_processes else ("bystander",)
        return sum(self.machine.spent_by(role) for role in (*self._roles(index), *bystanders))

    def _helpers_delay(self, index: int = 0) -> float:
        """For how long what computes for the workers of a process has waited for a CPU."""
        return sum(self.machine.waited[role] for role in self._roles(index))

    def _roles(self, index: int) -> list[str]:
        numbers = [process.number for process in self.processes]
        if self.many_processes:
            return [f"{role} {self._process(index).number}" for role in ("helper", "child")]
        # The server is a child of the session.
        return ["server", *(f"{role} {number}" for number in numbers for role in ("helper", "child"))]

    def _credited(self, sample: Sample, helpers: float, delay: float | None = None) -> Sample:
        """What helpers computed is the workers'; what the process computes without a body as well is not."""
        recipe = self.recipe
        background = {"computes": 0.15, "ticks": 0.02}.get(recipe.fixture, 0.0)
        if background * sample.wall > 0.25 * helpers:
            return sample
        return replace(sample, readings=helper_threads.credit(sample.readings, helpers, delay))

    def _process(self, index: int) -> Process:
        return self.processes[index % len(self.processes)]

    def _threads(self, bodies: list[list[int]], loops: int, job: str) -> tuple[Reading, ...]:
        """Let each worker run ``loops`` bodies of each of these indexes."""
        machine, found = self.machine, {}
        threads = [
            machine.spawn(
                functools.partial(self._batch, worker, indexes, loops, job, found), self._process(worker).gil, "worker"
            )
            for worker, indexes in enumerate(bodies)
        ]
        machine.run_until_done(threads)
        return tuple(found[worker] for worker in range(len(bodies)))

    def _batch(
        self, worker: int, indexes: list[int], loops: int, job: str, found: dict[int, Reading], me: Thread
    ) -> Program:
        machine, process = self.machine, self._process(worker)
        start, late, switches, cpu = machine.now, me.delay, me.switches, machine.cpu_time_of(me)
        each = []
        for index in indexes:
            began = machine.now
            for _ in range(loops):
                if job == "control":
                    yield (m.COMPUTE, REFERENCE, m.FREES)
                else:
                    yield from process.call(index, self.recipe.workers)
            each.append((machine.now - began) / loops)
        cpu = machine.cpu_time_of(me) - cpu
        told = (me.delay - late, late, me.switches - switches) if self.load.reads_delay else (None, None, None)
        found[worker] = Reading(start, machine.now, cpu, *told, each=tuple(each) if len(each) > 1 else ())

    def _tasks(self, bodies: list[list[int]], loops: int, job: str) -> tuple[Reading, ...]:
        machine, process = self.machine, self.processes[0]
        ends, each = [0.0] * len(bodies), [[] for _ in bodies]
        found: list[Reading] = []

        def program(me: Thread) -> Program:
            start, late, switches, cpu = machine.now, me.delay, me.switches, machine.cpu_time_of(me)
            calls = [self._calls(some, loops, job, took) for some, took in zip(bodies, each, strict=True)]
            yield from process.event_loop(me, calls, ends)
            cpu = machine.cpu_time_of(me) - cpu
            told = (me.delay - late, late, me.switches - switches) if self.load.reads_delay else (None, None, None)
            found.append(
                Reading(
                    start,
                    machine.now,
                    cpu,
                    *told,
                    ends=tuple(ends) if job == "body" else (),
                    each=tuple(each[0]) if len(bodies[0]) > 1 else (),
                )
            )

        machine.run_until_done([machine.spawn(program, process.gil, "worker")])
        return tuple(found)

    def _calls(self, indexes: list[int], loops: int, job: str, took: list[float]) -> Iterator[tuple[Any, ...]]:
        for index in indexes:
            began = self.machine.now
            for _ in range(loops):
                if job == "control":
                    yield (m.COMPUTE, REFERENCE, m.FREES)
                else:
                    yield from self.processes[0].coroutine(index, self.recipe.workers)
            took.append((self.machine.now - began) / loops)

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
