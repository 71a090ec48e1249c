"""A bench for the measuring loop whose workers, clocks and counters are those of the simulated machine.

It sizes batches, alternates the two sides and reads counters as the real bench does, in no time.
"""

from __future__ import annotations

from generated import machine as m
from generated.machine import Program, Thread
from generated.programs import Beat
from generated.truth import CPUS, own_gil
from generated.workers import Workers
from pytest_concurrency.core.model import BlockProbe, GilProbe, Interference, Interval, Reading, Round, Sample
from pytest_concurrency.engine import readings
from pytest_concurrency.engine.plan import CpuSite, WorkerSetup
from pytest_concurrency.measurement import batch_size
from pytest_concurrency.probes import gil_heartbeat

BETWEEN = 0.0004  # seconds between two batches
PATIENCE = 2.0  # switch interval during a probe of the GIL
BEAT, LOOP_BEAT, LOOP_SLACK = 0.0005, 0.002, 0.0005
FRESH = 0.003  # seconds until fresh workers have started
SHORT_ROUNDS = 3
SHORTEST_CALL = 0.002  # seconds of a call that is a batch of its own


class SimulatedBench(Workers):
    """One recipe's workers beside one load, for the measuring loop. Everything follows from the seed."""

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
            self.loops["body"] = 1 if "body" in self.single_calls else self._calibrate(setup, "body")

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
        self.short = self.short + 1 if round_.serial.wall < self.batch / 4 and "body" not in self.single_calls else 0
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
        self.single_calls.make("body", None if self.recipe.setup or self.by_index else serial_calls)
        return longer

    def stagger(self, setup: WorkerSetup, most: int) -> None:
        if not self.single_calls.vary("body", most) and (some := self.rng.randint(0, most)):
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
        if job != "body" or "body" not in self.single_calls:
            return self._run(setup, 1, loops, job)
        return batch_size.joined([self._run(setup, 1, 1, job) for _ in range(self.single_calls.next("body", loops))])

    def _calibrate(self, setup: WorkerSetup, job: str) -> int:
        loops = 1
        while True:
            sample = self._run(setup, 1, loops, job)
            seconds = readings.quiet_time(sample.readings[0])
            if job == "body":
                self.expected = seconds / loops
            if seconds >= 0.8 * self.batch:
                if loops == 1 and job == "body":
                    self.first = sample
                return loops
            loops = batch_size.next_loops(loops, seconds, self.batch)

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
            yield from self._batch(0, [0], loops, "body", found, me)

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
