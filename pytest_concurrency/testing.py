"""Fakes for tests: a scripted clock and a scripted bench.

Code that measures can be tested without measuring. A :class:`ScriptedBench` replaces the real
workers and clocks. It computes its rounds from a model of a body on a machine, in no time and
with the same result in every run::

    bench = ScriptedBench(ScriptedBody(wait=0.01), Noise(jitter=0.02))
    settlement = settle(plan, bench, max_time=10)
    assert settlement.verdict == "met"

It also records the calls that it gets: pauses, new workers, longer batches, probes and reference workloads.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from pytest_concurrency.core.model import BlockProbe, GilProbe, Interference, Interval, Reading, Round, Sample
from pytest_concurrency.engine.plan import CpuSite, WorkerSetup
from pytest_concurrency.engine.random_latency import RandomLatency
from pytest_concurrency.measurement import batch_size

__all__ = ["Noise", "RandomLatency", "ScriptedBench", "ScriptedBody", "ScriptedClock"]

_BEAT = 0.0005
_SKEW = 5e-6  # seconds between the starts of two workers


class ScriptedClock:
    """A clock that advances only by ``advance`` and ``sleep``. Calling it reads it."""

    def __init__(self, now: float = 1000.0) -> None:
        self.time: float = now
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        if not seconds >= 0:
            raise ValueError(f"time cannot go back by {seconds!r} s")
        self.time += seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass, and add the duration to ``sleeps``."""
        self.advance(seconds)
        self.sleeps.append(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedBody:
    """The cost of one call of a body, in seconds, and what its workers share.

    ``lock`` is the part of the body that runs inside a lock of all workers, ``growth`` the factor by
    which its CPU time grows where several workers compute. ``stretch`` is for how long at a time a call
    keeps the GIL (or, as an ``async def``, its event loop).
    """

    cpu: float = 0.0
    wait: float = 0.0
    lock: float = 0.0
    holds_gil: bool = False
    growth: float = 1.0
    stretch: float = 0.0

    def __post_init__(self) -> None:
        if self.cpu < 0 or self.wait < 0 or not self.seconds > 0:
            raise ValueError("a body needs some cpu or wait")

    @property
    def seconds(self) -> float:
        """Seconds of one serial call on an idle machine."""
        return self.cpu + self.wait

    @classmethod
    def of_speedup(cls, speedup: float, *, seconds: float = 0.01, cpu_share: float = 0.0) -> ScriptedBody:
        """A body whose lock lets any number of workers be ``speedup`` times as fast as one.

        Fewer workers than that, or too few CPUs for its computing, keep it below.
        """
        return cls(cpu=seconds * cpu_share, wait=seconds * (1 - cpu_share), lock=1 / speedup)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Noise that a machine adds to measurements.

    Bursts of interference come and go at random: ``burst_every`` seconds of quiet in the mean, then
    ``burst_length`` seconds in which ``load`` other programs want each CPU.
    """

    jitter: float = 0.0  # standard deviation of a batch's time, as a part of it
    outliers: float = 0.0  # probability that a worker's batch takes longer, without any run delay
    outlier: float = 1.0  # by which part of its time
    drift: float = 0.0  # the CPUs' speed swings by this part, within some seconds
    burst_every: float = math.inf
    burst_length: float = 1.0
    load: float = 1.0
    unseen: float = 0.0  # part of a burst's run delay that no counter shows, as with a stolen CPU
    crowding: float = 1.0  # growth of CPU time in a burst where several workers compute
    neighbours: float = 0.0  # probability that it grows so in a batch, because others use the cores' other threads


@dataclass
class ScriptedBench:
    """A bench for :func:`pytest_concurrency.engine.procedure.settle`, without workers or real clocks.

    ``body`` may be a function of the bench, for a body that changes: with the time, with the number
    of the round, or in fresh workers (``refreshed`` counts those). ``control_body`` is what
    :meth:`control` runs; give it a ``lock`` for a machine that does not deliver its CPUs.
    """

    body: ScriptedBody | Callable[[ScriptedBench], ScriptedBody]
    noise: Noise = field(default_factory=Noise)
    cpus: float = 4.0
    cores: int | None = None  # fewer than CPUs, where hardware threads share them
    at_once: int | None = None  # fewer than the setup's workers, where a pool is smaller
    pinned: int | None = None  # the CPUs on which workers may run, if these are fewer than ``cpus``
    has_gil: bool = True
    reads_delay: bool = True
    probes: bool = True  # whether a heartbeat can be made beside the body
    start_up: float = 0.0  # seconds that fresh workers take
    control_body: ScriptedBody = field(default_factory=lambda: ScriptedBody(cpu=batch_size.SHORTEST))
    clock: ScriptedClock = field(default_factory=ScriptedClock)
    seed: int = 0
    # The calls so far.
    rounds: int = field(default=0, init=False)
    prepared: int = field(default=0, init=False)
    refreshed: int = field(default=0, init=False)
    lengthened: int = field(default=0, init=False)
    staggered: int = field(default=0, init=False)
    serial_calls: int = field(default=0, init=False)
    controls: int = field(default=0, init=False)
    probed: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._batch = batch_size.SHORTEST
        self._phase = self._random.random()
        self._burst = False
        self._burst_changes = self.clock() + self._until_change()

    @property
    def pauses(self) -> list[float]:
        """Every sleep between rounds, in seconds."""
        return self.clock.sleeps

    def now(self) -> float:
        return self.clock()

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    def prepare(self, setup: WorkerSetup) -> None:
        self.prepared += 1

    def site(self, setup: WorkerSetup) -> CpuSite:
        return CpuSite(self.cpus, self.has_gil, setup.shares_gil, self.cores, self.at_once, self.pinned)

    def round(self, setup: WorkerSetup) -> Round:
        self.rounds += 1
        body = self._body()
        round_ = self._pair(setup, body) if setup.method == "pair" else self._stretch(setup, body)
        return replace(round_, has_gil=self.has_gil)

    def control(self, setup: WorkerSetup) -> Round:
        self.controls += 1
        return self._pair(setup, self.control_body)

    def probe_gil(self) -> GilProbe | None:
        """A heartbeat that is rarely wrong, and imprecise while other programs use the CPU."""
        self.probed += 1
        if not (self.probes and self.has_gil):
            return None
        body = self._body()
        reading = self._run(WorkerSetup("threads"), body, 1).readings[0]
        clear = 0.3 if self._busy() else 0.95
        held = reading.cpu * (clear if body.holds_gil else 0.0)
        longest = self._longest(body)
        return GilProbe(
            window=reading.wall,
            cpu=reading.cpu,
            surely_held=held,
            perhaps_held=reading.cpu if body.holds_gil else reading.cpu * (1 - clear),
            longest=longest,
            beats=int(reading.wall * (0.2 if body.holds_gil else 1.0) / (2 * _BEAT)) + 1,
        )

    def refresh(self, setup: WorkerSetup) -> None:
        self.refreshed += 1
        self.clock.advance(self.start_up)

    def lengthen(self, setup: WorkerSetup) -> None:
        self.lengthened += 1
        self._batch = min(self._batch * 2, batch_size.LONGEST)

    def one_call(self, setup: WorkerSetup, serial_calls: int) -> bool:
        """Calls vary only from batch to batch, so that the number of serial ones changes nothing."""
        self.serial_calls = serial_calls
        one = self._body().seconds
        longer = self._batch > one >= batch_size.SHORTEST_CALL
        self._batch = one if longer else self._batch
        return longer

    def stagger(self, setup: WorkerSetup, most: int) -> None:
        self.staggered += 1

    def note(self, setup: WorkerSetup) -> str:
        return "scripted"

    def interference(self) -> Interference:
        load = self.noise.load * self.cpus if self._busy() else 0.0
        return Interference(foreign=load * (1 - self.noise.unseen), steal=load * self.noise.unseen)

    def _body(self) -> ScriptedBody:
        return self.body if isinstance(self.body, ScriptedBody) else self.body(self)

    def _pair(self, setup: WorkerSetup, body: ScriptedBody) -> Round:
        if setup.workers is None:
            serial, together = self._run(setup, body, 1), None
        elif self._random.random() < 0.5:
            serial, together = self._run(setup, body, 1), self._run(setup, body, setup.workers)
        else:
            together, serial = self._run(setup, body, setup.workers), self._run(setup, body, 1)
        return Round(self.rounds, serial, together, self.interference())

    def _stretch(self, setup: WorkerSetup, body: ScriptedBody) -> Round:
        """One call beside a beat: of a probe thread that wants the GIL, or of the call's own event loop."""
        gil = self.probe_gil() if setup.method == "hold" else None
        block = BlockProbe(self._longest(body)) if setup.method == "block" else None
        sample = Sample(1, self._run(setup, body, 1).readings)
        return Round(self.rounds, sample, interference=self.interference(), gil=gil, block=block)

    def _longest(self, body: ScriptedBody) -> Interval:
        """Run delay of the beat itself can hide a stretch, or look like one."""
        stretch = body.stretch * self._jitter()
        lost = self._random.expovariate(1 / (self.noise.load * 0.004)) if self._busy() and self.noise.load else 0.0
        return Interval(max(0.0, stretch - lost), stretch + lost)

    def _run(self, setup: WorkerSetup, body: ScriptedBody, workers: int) -> Sample:
        """One batch; time passes by as much as it took."""
        loops = max(1, math.ceil(max(self._batch, setup.sustained) / body.seconds * 0.999))
        started = self.clock()
        if setup.one_thread:
            readings = [self._tasks(body, workers, loops, started)]
        else:
            readings = self._workers(body, workers, loops, started, setup.shares_gil and self.has_gil)
        self.clock.advance(max(reading.end for reading in readings) - started)
        return Sample(loops, tuple(readings))

    def _workers(
        self, body: ScriptedBody, workers: int, loops: int, started: float, one_interpreter: bool
    ) -> list[Reading]:
        busy = self._busy()
        noise, rng = self.noise, self._random
        beside = noise.neighbours > 0 and rng.random() < noise.neighbours
        crowd = body.growth if workers > 1 else 1.0
        if beside or (busy and workers > 1):
            crowd *= noise.crowding
        cpu, wait, delay, unseen = [], [], [], []
        for _ in range(workers):
            cpu.append(body.cpu * loops * crowd * self._speed() * self._jitter())
            outlier = noise.outlier if noise.outliers and rng.random() < noise.outliers else 0.0
            wait.append(body.wait * loops * self._jitter() + outlier * body.seconds * loops)
            # Computing shares its CPU with the other programs; a wait ends late, by about a time slice.
            lost = rng.expovariate(1 / noise.load) * (cpu[-1] + min(wait[-1], 0.001)) if busy and noise.load else 0.0
            delay.append(lost * (1 - noise.unseen))
            unseen.append(lost * noise.unseen)
        own = [sum(parts) for parts in zip(cpu, wait, delay, unseen, strict=True)]
        in_turn = body.lock * sum(own) if workers > 1 else 0.0
        if one_interpreter and body.holds_gil:
            in_turn = max(in_turn, sum(cpu) + sum(delay) + sum(unseen))
        shared_out = sum(cpu) / max(1.0, min(self.cpus, workers))
        readings = []
        for index in range(workers):
            lifetime = max(own[index], in_turn)
            queued = lifetime - own[index]
            # A worker that the lock wakes may get no CPU at first, and then find the lock taken again.
            late_in_queue = queued * rng.random() * 0.5 if busy else 0.0
            lifetime = max(lifetime, shared_out)
            late = min(_SKEW * index, lifetime / 2)
            readings.append(
                self._reading(
                    started,
                    lifetime,
                    late,
                    cpu[index],
                    delay[index] + late_in_queue + max(0.0, shared_out - max(own[index], in_turn)),
                    (loops if body.wait else 0) + (loops if queued > 0.01 * lifetime else 0),
                )
            )
        return readings

    def _tasks(self, body: ScriptedBody, workers: int, loops: int, started: float) -> Reading:
        """One event loop: its tasks' computing never overlaps, their waits do as far as the lock lets them."""
        cpu = body.cpu * loops * workers * self._speed() * self._jitter()
        wait = body.wait * loops * self._jitter()
        in_turn = body.lock * (wait + cpu / workers) * workers if workers > 1 else 0.0
        lost = self._random.expovariate(1 / self.noise.load) * cpu if self._busy() and self.noise.load else 0.0
        lifetime = max(cpu, wait + cpu / workers, in_turn) + lost
        return self._reading(started, lifetime, 0.0, cpu, lost * (1 - self.noise.unseen), loops)

    def _reading(
        self, started: float, lifetime: float, late: float, cpu: float, delay: float, switches: int
    ) -> Reading:
        if not self.reads_delay:
            return Reading(started + late, started + lifetime, cpu)
        return Reading(started + late, started + lifetime, cpu, max(0.0, delay - late), late, switches)

    def _jitter(self) -> float:
        return math.exp(self._random.gauss(0.0, self.noise.jitter)) if self.noise.jitter else 1.0

    def _speed(self) -> float:
        if not self.noise.drift:
            return 1.0
        return 1.0 + self.noise.drift * math.sin(2 * math.pi * (self.clock() / 3.0 + self._phase))

    def _busy(self) -> bool:
        while self.clock() >= self._burst_changes:
            self._burst = not self._burst
            self._burst_changes += self._until_change()
        return self._burst

    def _until_change(self) -> float:
        mean = self.noise.burst_length if self._burst else self.noise.burst_every
        return math.inf if math.isinf(mean) else self._random.expovariate(1 / max(mean, 1e-6))
