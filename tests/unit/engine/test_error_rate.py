"""A simulated study of the decision rule: healthy bodies and real losses on machines of many kinds.

The figures lie where verdicts are hardest: a healthy body exactly at ``at_least``, a loss exactly at
``at_least / (1 + margin)``. Seeds are fixed, so that the outcome is the same in every run. What real
machines do is measured elsewhere; this keeps the rule itself from getting worse unseen.
"""

from __future__ import annotations

import math
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest

from pytest_concurrency.engine.claims import SpeedupClaim
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.engine.procedure import settle
from pytest_concurrency.testing import Noise, RandomLatency, ScriptedBench, ScriptedBody

from ..make import plan
from .exact import binomial_tail, upper_bound

PROMISE = 1e-4  # wrong verdicts, each way
MARGIN = 0.25
TRIALS = 20  # settlements of each kind


class Shape(NamedTuple):
    """A kind of body, with as many workers and CPUs."""

    workers: int
    speedup: float
    cpu_share: float
    cpus: float


SHAPES = {
    "waiting, fully parallel": Shape(4, 4.0, 0.0, 2.0),
    "waiting, in part": Shape(4, 3.0, 0.05, 2.0),
    "computing": Shape(2, 2.0, 0.95, 2.0),
    "both": Shape(4, 2.0, 0.4, 2.0),
}
MACHINES = {
    "quiet": Noise(jitter=0.01),
    "uneven": Noise(jitter=0.06, outliers=0.05),
    "drifting": Noise(jitter=0.03, drift=0.3),
    "short bursts": Noise(jitter=0.03, burst_every=0.2, burst_length=0.05, load=1.0),
    "long bursts": Noise(jitter=0.03, burst_every=1.0, burst_length=1.0, load=2.0),
    "always busy": Noise(jitter=0.03, burst_every=1e-6, burst_length=1e9, load=1.0),
    "short bursts, unseen": Noise(jitter=0.03, burst_every=0.5, burst_length=0.03, load=0.5, unseen=1.0),
    "crowded": Noise(jitter=0.03, burst_every=1.0, burst_length=0.4, load=0.1, crowding=1.75),
}
STOLEN = Noise(jitter=0.02, burst_every=1e-6, burst_length=1e9, load=0.3, unseen=1.0)


def true_speedup(shape: Shape, body: ScriptedBody, noise: Noise) -> float:
    """What this body is really like between the bursts: its median speedup.

    Where each worker's time varies, the slowest of several is what counts, so that even a body that
    shares nothing is less than ``workers`` times as fast.
    """
    setup = WorkerSetup("threads", shape.workers)
    bench = ScriptedBench(body, replace(noise, burst_every=math.inf), cpus=shape.cpus, seed=-1)
    ratios = []
    for _ in range(300):
        round_ = bench.round(setup)
        assert round_.concurrent is not None
        ratios.append(shape.workers * round_.serial.wall / round_.concurrent.wall)
    return median(ratios)


def verdicts(shape: Shape, noise: Noise, trials: int, loss: float = 1.0, seed: int = 0) -> Counter[str]:
    """How many settlements ended which way, of a body that is below ``at_least`` by a factor of ``loss``."""
    body = ScriptedBody.of_speedup(shape.speedup, cpu_share=shape.cpu_share)
    claim = SpeedupClaim(shape.workers, true_speedup(shape, body, noise) * loss, MARGIN)
    ends: Counter[str] = Counter()
    for trial in range(trials):
        bench = ScriptedBench(body, noise, cpus=shape.cpus, seed=seed * 1_000_003 + trial)
        ends[settle(plan(claim, workers=shape.workers), bench, 10.0).verdict] += 1
    return ends


def study(shapes: list[Shape], noises: list[Noise], trials: int) -> tuple[Counter[str], Counter[str]]:
    """The ends of healthy bodies, and those of losses."""
    healthy: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    for shape in shapes:
        for seed, noise in enumerate(noises):
            healthy += verdicts(shape, noise, trials, seed=2 * seed)
            lost += verdicts(shape, noise, trials, loss=1 + MARGIN, seed=2 * seed + 1)
    return healthy, lost


def test_wrong_verdicts_are_no_more_than_promised() -> None:
    healthy, lost = study(list(SHAPES.values()), list(MACHINES.values()), TRIALS)
    settled = TRIALS * len(SHAPES) * len(MACHINES)
    assert binomial_tail(healthy["not_met"], settled, PROMISE) > 0.01, healthy
    assert binomial_tail(lost["met"], settled, PROMISE) > 0.01, lost
    # As much as so many trials can show at all.
    assert upper_bound(healthy["not_met"] + lost["met"], 2 * settled) < 5e-3
    assert healthy["met"] > 0.7 * settled
    assert lost["not_met"] > 0.7 * settled


@pytest.mark.parametrize("name", SHAPES)
def test_a_quiet_machine_always_decides(name: str) -> None:
    healthy, lost = study([SHAPES[name]], [MACHINES["quiet"]], 100)
    assert healthy == {"met": 100}
    assert lost == {"not_met": 100}


def test_stolen_cpus_make_no_wrong_verdicts() -> None:
    """No run delay shows when a hypervisor takes a CPU away; only the round's interference does."""
    healthy, lost = study([SHAPES["computing"]], [STOLEN], 80)
    assert binomial_tail(healthy["not_met"] + lost["met"], 160, PROMISE) > 0.01, (healthy, lost)


ONE_CORE = Noise(jitter=0.01, burst_every=1e-6, burst_length=1e9, load=0.0, crowding=1.8)
HARDWARE_THREADS = {
    "one core": ONE_CORE,
    "one core, at times": replace(ONE_CORE, burst_every=0.5, burst_length=0.5),
    "one core, mostly": replace(ONE_CORE, burst_every=0.2, burst_length=1.0),
    "one core, other guests": replace(ONE_CORE, burst_every=0.5, burst_length=0.5, neighbours=0.5),
    "other guests": replace(ONE_CORE, burst_every=math.inf, neighbours=0.5),
}


@pytest.mark.parametrize("name", HARDWARE_THREADS)
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (ScriptedBody(cpu=0.01), "met"),
        (ScriptedBody(cpu=0.01, lock=1.0), "not_met"),
        (ScriptedBody(cpu=0.01, growth=1.8), "not_met"),
    ],
    ids=["parallel", "in a lock", "uses up the memory's bandwidth"],
)
def test_cpus_that_are_threads_of_one_core_make_no_wrong_verdicts(body: ScriptedBody, expected: str, name: str) -> None:
    """No counter shows them, and a hypervisor may change them at any time."""
    ends = Counter(
        settle(
            plan(SpeedupClaim(2, 1.5, MARGIN), workers=2),
            ScriptedBench(body, HARDWARE_THREADS[name], cpus=2, seed=seed),
            10.0,
        ).verdict
        for seed in range(2 * TRIALS)
    )
    assert set(ends) <= {expected, "undecided"}
    if body.lock:
        assert ends["not_met"] > 1.5 * TRIALS  # what waits for a lock is not the CPUs' fault


LATENCIES: dict[str, Callable[[random.Random], float]] = {
    "uniform": lambda rng: rng.uniform(0.002, 0.018),
    "exponential": lambda rng: rng.expovariate(100),
    "lognormal": lambda rng: rng.lognormvariate(-5, 0.5),
    "heavy tail": lambda rng: 0.005 * rng.paretovariate(2.5),
}


@pytest.mark.parametrize("name", LATENCIES)
def test_random_latencies_make_no_wrong_verdicts(name: str) -> None:
    """Their single rounds differ by more than the margin, and the middle of those is not what a user gets."""
    body, rng = RandomLatency(LATENCIES[name]), random.Random(name)
    true = body.speedup()
    ends = {
        factor: Counter(body.verdict(true * factor, MARGIN, rng, 120) for _ in range(8))
        for factor in (0.5, 1.0, 1.25, 3.0)
    }
    wrong = sum(ends[factor]["not_met"] for factor in (0.5, 1.0)) + sum(ends[factor]["met"] for factor in (1.25, 3.0))
    assert binomial_tail(wrong, 32, PROMISE) > 0.01, ends
    assert ends[0.5]["met"] >= 3, ends


@pytest.mark.parametrize(("part", "times"), [(0.3, 5), (0.5, 3), (0.1, 10)])
def test_calls_that_merely_differ_make_no_queue(part: float, times: int) -> None:
    """As with a cache. Five rounds in which only company has the long calls come about in one test of thirty."""
    body, rng = (
        RandomLatency(lambda rng: 0.01 * (times if rng.random() < part else 1) * rng.gauss(1, 0.02)),
        random.Random(1),
    )
    true = body.speedup()
    ends = Counter(body.verdict(true * factor, MARGIN, rng, 20) for factor in (0.6, 1.0) for _ in range(100))
    assert ends["not_met"] == 0, ends


REPLAY = Path(__file__).parents[3] / "benchmarks" / "replay.py"


@pytest.mark.skipif(not REPLAY.exists(), reason="the recorded rounds are not part of this copy")
def test_recorded_rounds_make_no_wrong_verdicts() -> None:
    """Rounds of a real machine, idle and beside four loads, with thresholds where verdicts are hardest."""
    command = [sys.executable, str(REPLAY), "--trials", "3"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    rows = [line.split("|")[1:-1] for line in result.stdout.splitlines() if line.startswith("| all")]
    assert [(body.strip(), int(number), int(wrong)) for _, body, number, wrong, *_ in rows] == [
        ("healthy", 120, 0),
        ("loss", 120, 0),
    ]
