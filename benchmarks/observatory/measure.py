"""One row of the data: a call measured by the package's own runner of ``explore``, and its longest GIL hold."""

from __future__ import annotations

import multiprocessing
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from observatory.registry import Call
from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.backends.threads import ThreadWorkers
from pytest_concurrency.core import stats
from pytest_concurrency.core.model import Body
from pytest_concurrency.core.outcomes import Estimate
from pytest_concurrency.engine.claims import LongestClaim
from pytest_concurrency.engine.plan import Plan, WorkerSetup
from pytest_concurrency.expectations.base import Tolerances
from pytest_concurrency.explore import silence
from pytest_concurrency.explore.recommend import Side
from pytest_concurrency.explore.runner import Exploration, explore
from pytest_concurrency.machine.cpus import gil_enabled
from pytest_concurrency.measurement.trial import SessionContext, Trial
from pytest_concurrency.probes.gil_heartbeat import Heartbeat, summarize

WORKERS = 2
_MAX_TIME = 5.0  # seconds for each of threads, processes and holds; ten rounds mostly take less
_ROUNDS = 10
_LIMIT = 0.005  # seconds: the threshold that a hold is compared with, which only chooses where it looks closely


def measure(call: Call) -> dict[str, Any]:
    """Measure a call with two threads and two processes. An exception of the call comes out as it was raised."""
    limits = Tolerances(max_time=_MAX_TIME)
    body = Body(call, label=call.name)
    found = explore(body, limits, _start_method(), (WORKERS,), lambda text: None)
    hold, wait = (_longest_hold(body, limits), _longest_wait(call)) if gil_enabled() else (None, None)
    return {
        "state": "measured",
        "bound": asdict(found.bound),
        "alone": _rounded(asdict(found.alone)),
        "hold": _estimate(hold),
        "wait": _estimate(wait),
        "sides": {side.backend: _side(side) for side in found.sides},
        "others": _others(found),
    }


def _start_method() -> str:
    """Return a method by which workers make their own connections: a fork would share those of this process."""
    return "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


def _longest_hold(body: Body, limits: Tolerances) -> Estimate | None:
    plan = Plan(
        setup=WorkerSetup("threads", method="hold"),
        claims=(LongestClaim("hold", _LIMIT, limits.margin),),
        answered=lambda verdicts: False,
        most_rounds=_ROUNDS,
    )
    with silence.quiet(), Trial.of_body(body, SessionContext(limits, WorkerEnvironment(Path.cwd()))) as trial:
        return trial.settle(plan, limits).results[0].estimate


def _longest_wait(call: Call) -> Estimate | None:
    """How long another thread waits for the GIL at most, with the switch interval that every program has.

    Python code gives the GIL up when that interval is over. Code in C that holds the GIL does not.
    """
    workers = ThreadWorkers({"body": call}, 1)
    found = []
    try:
        with silence.quiet():
            for _ in range(_ROUNDS):
                probe = Heartbeat(workers.idents[0], (), sys.getswitchinterval())
                sample, beats = probe.run(lambda: workers.run(1, 1, _MAX_TIME))
                found.append(summarize(sample.readings[0], beats).longest)
    finally:
        workers.close()
    low, high = stats.median([each.low for each in found]), stats.median([each.high for each in found])
    return Estimate((low + high) / 2, low, high, "seconds")


def _side(side: Side) -> dict[str, Any]:
    found: dict[str, Any] = {"workers": side.workers, "speedup": _estimate(side.speedup), "rounds": side.rounds}
    if side.each is not None:
        found["each"] = _rounded(asdict(side.each))
    if side.reason:
        found["reason"] = side.reason
    if side.traceback:
        found["error"] = side.traceback.splitlines()[-1]
    return found


def _others(found: Exploration) -> float | None:
    """CPUs that other programs kept busy."""
    return None if found.interference.foreign is None else round(found.interference.foreign, 2)


def _estimate(found: Estimate | None) -> dict[str, float] | None:
    return None if found is None else _rounded({"value": found.value, "low": found.low, "high": found.high})


def _rounded(figures: dict[str, Any]) -> dict[str, Any]:
    """Four significant digits are more than the intervals are good for."""
    return {name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in figures.items()}
