"""Tries on this machine everything that measured tests need."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import platform
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

from pytest_concurrency.backends import OPENERS
from pytest_concurrency.backends.batch import control_body
from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.core.errors import CannotMeasure, ConcurrencyError
from pytest_concurrency.core.model import Body, Interference
from pytest_concurrency.core.outcomes import Estimate
from pytest_concurrency.core.text import in_one_line
from pytest_concurrency.doctor.fitness import Checkup, Repeats, Ruling
from pytest_concurrency.engine.plan import Plan, WorkerSetup
from pytest_concurrency.engine.procedure import settle
from pytest_concurrency.expectations.base import Tolerances, speedup_plan
from pytest_concurrency.expectations.compare import ComparisonClaim
from pytest_concurrency.machine import priority
from pytest_concurrency.machine.clocks import CLOCKS, resolution
from pytest_concurrency.machine.cpus import cpu_limits, gil_enabled, usable_cpus
from pytest_concurrency.measurement.callable_bench import CallableBench
from pytest_concurrency.measurement.figures import look
from pytest_concurrency.measurement.trial import Request, SessionContext, Trial
from pytest_concurrency.measurement.worker_bench import WorkerBench
from pytest_concurrency.probes import gil_heartbeat, interference, thread_clock
from pytest_concurrency.probes.interference import InterferenceMeter

_TRIALS = 15  # rounds of a function against itself
_REPEATS = 10  # rounds at each priority
_WAIT = 0.005  # seconds of the body that waits
_PIECES = 16  # of the body that computes: shorter calls would be measured together, and may look as if they varied
_TRIES = 2  # of a test that is undecided: a machine may be busy for a moment
_MOST = 16  # workers of the reference workload
_WINDOW = 0.12  # seconds, a little longer than one reading of the meter


def examine(seconds: float, max_time: float, show: Callable[[str], None]) -> Checkup:
    """Run all checks, which takes a few seconds more than ``seconds``."""
    show("watching what other programs do")
    mean, worst = _watch(seconds, show)
    show("comparing a function with itself")
    same = _same(max_time)
    usable = usable_cpus()
    highest = priority.choose("auto", cpus=usable)
    workers = min(max(2, math.ceil(usable)), _MOST)
    control: dict[str, Estimate | str] = {}
    notes: dict[str, str] = {}
    around = WorkerEnvironment(Path.cwd(), priority=highest)  # as a session would measure
    context = SessionContext(Tolerances(max_time=max_time), around, show)
    reference = Body(control_body, label="the reference workload")
    for backend in OPENERS:
        if WorkerSetup(backend).one_thread:  # they never compute together
            continue
        show(f"computing in {workers} {backend}")
        # A trial for each: what one of them learns about a body decides at which priority it measures.
        with contextlib.suppress(CannotMeasure), Trial.of_body(reference, context) as trial:
            control[backend], notes[backend] = _control(trial, WorkerSetup(backend, workers), context.defaults)
    waiting = _test(Body(_wait, label="waiting"), context, "threads", 4, 3.0)
    computing = None
    if usable >= 2:
        computing = _test(Body(_compute, label="computing"), context, "threads", 2, 1.4)
    return Checkup(
        usable=usable,
        cpus=tuple(cpu_limits()),
        python=_python(),
        gil=gil_enabled(),
        switch_interval=sys.getswitchinterval(),
        clocks={"wall": resolution(CLOCKS.wall), "CPU of a thread": resolution(CLOCKS.thread_cpu)},
        readings=_readings(),
        seconds=seconds,
        interference=mean,
        worst=worst,
        same=same,
        control=control,
        workers=workers,
        notes=notes,
        start_methods=tuple(multiprocessing.get_all_start_methods()),
        waiting=waiting,
        computing=computing,
        priority=highest,
        throttling=priority.throttling(),
        repeats=_repeats(around, min(workers, math.floor(usable)), max_time, show),
    )


def _watch(seconds: float, show: Callable[[str], None]) -> tuple[Interference, Interference]:
    meter = InterferenceMeter()
    end = CLOCKS.wall() + seconds
    worst = Interference()
    while (left := end - CLOCKS.wall()) > 0:
        show(f"watching what other programs do, {left:.0f} s to go")
        CLOCKS.sleep(min(left, _WINDOW))
        now = meter.read()
        if (now.foreign or 0.0) >= (worst.foreign or 0.0):
            worst = now
    return meter.overall(), worst


def _same(max_time: float) -> Estimate | None:
    bench = CallableBench(control_body, control_body)
    plan = Plan(
        setup=WorkerSetup("compare", 1),
        claims=(ComparisonClaim(1, 1.0, 0.25),),
        answered=lambda said: False,
        most_rounds=_TRIALS,
    )
    try:
        return settle(plan, bench, max_time).results[0].estimate
    finally:
        bench.close()


def _repeats(around: WorkerEnvironment, workers: int, max_time: float, show: Callable[[str], None]) -> Repeats | None:
    """Measure the same thing again and again, at the ordinary priority and at the one of sessions by turns."""
    setup = WorkerSetup("processes" if gil_enabled() else "threads", max(1, workers))
    chosen = [priority.ORDINARY, *([around.priority] if around.priority.kind != "off" else [])]
    speedups: list[list[float]] = [[] for _ in chosen]
    end = CLOCKS.wall() + max_time
    try:
        with contextlib.ExitStack() as benches:
            made = [
                benches.enter_context(
                    contextlib.closing(WorkerBench(Body(control_body), replace(around, priority=each), max_time))
                )
                for each in chosen
            ]
            for number in range(1, _REPEATS + 1):
                show(f"repeating a measurement, round {number} of {_REPEATS}")
                for bench, found in zip(made, speedups, strict=True):
                    round_ = bench.round(setup)
                    if round_.concurrent is not None:
                        found.append(round_.serial.wall * workers / round_.concurrent.wall)
                if CLOCKS.wall() > end:
                    break
    except (ConcurrencyError, OSError):  # the line of these workers says why
        return None
    return Repeats(*(_spread(each) for each in speedups))


def _spread(values: list[float]) -> float:
    """By which part of their median they differ, but for the smallest and the largest."""
    middle = sorted(values)[1:-1] or values
    return (middle[-1] - middle[0]) / median(middle)


def _control(trial: Trial, setup: WorkerSetup, limits: Tolerances) -> tuple[Estimate | str, str]:
    try:
        estimate = look(trial, setup, limits).results[0].estimate
    except CannotMeasure:
        raise
    except (ConcurrencyError, OSError) as error:
        return in_one_line(str(error)), ""
    return estimate or "no round could be read: other programs kept the machine busy", trial.note(setup)


def _test(body: Body, context: SessionContext, backend: str, workers: int, at_least: float) -> Ruling:
    """Run a real test with a body that is known to be as concurrent as required."""
    plan = speedup_plan(WorkerSetup(backend, workers), at_least, None, context.defaults)
    for _ in range(_TRIES):
        began = CLOCKS.wall()
        with Trial.of_body(body, context) as trial:
            outcome, _ = trial.decide(Request("the test", "expect_speedup", {}, plan, context.defaults))
        if outcome.verdict != "undecided":
            break
    headline = outcome.finding.headline if outcome.finding is not None else ""
    return Ruling(outcome.verdict, CLOCKS.wall() - began, headline)


def _compute() -> None:
    for _ in range(_PIECES):
        control_body()


def _wait() -> None:
    CLOCKS.sleep(_WAIT)


def _python() -> str:
    gil = "with the GIL" if gil_enabled() else "without a GIL"
    return f"{platform.python_implementation()} {platform.python_version()} {gil}"


def _readings() -> dict[str, str | None]:
    meter = InterferenceMeter().overall()
    switches = thread_clock.ThreadClock()
    try:
        no_switches = None if switches.switches() is not None else "needs Linux, and the run delay"
    finally:
        switches.close()
    foreign = interference.unavailable()
    return {
        "run delay": thread_clock.unavailable(),
        "foreign load": foreign,
        "steal": (foreign and "it also needs psutil") if sys.platform == "linux" else "only Linux has it",
        "throttling": None if meter.throttled is not None else "no control group with a CPU controller",
        "switches": no_switches,
        "GIL heartbeat": gil_heartbeat.unavailable(),
    }
