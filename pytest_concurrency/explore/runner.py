"""Runs one function in every backend that can run it, and collects the figures."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_concurrency.backends import OPENERS
from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.core import callables
from pytest_concurrency.core.errors import CannotMeasure, CommandError, ConcurrencyError
from pytest_concurrency.core.model import Body, Interference
from pytest_concurrency.core.outcomes import Arm, Bound, PerBody
from pytest_concurrency.core.text import in_one_line
from pytest_concurrency.engine import readings
from pytest_concurrency.engine.bound_type import classify, per_body
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.engine.settlement import Settlement
from pytest_concurrency.expectations.base import Tolerances
from pytest_concurrency.explore import silence, targets
from pytest_concurrency.explore.recommend import Side
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.cpus import auto_workers, usable_cpus
from pytest_concurrency.measurement.figures import look
from pytest_concurrency.measurement.trial import SessionContext, Trial
from pytest_concurrency.probes.leftovers import Leftovers
from pytest_concurrency.verdicts.outcome import arms_of

_ALONE = 3  # rounds of one worker, which decide the number of workers
_COMPUTES = 0.5  # with a larger share of computing, there is one worker for each CPU
_FOR_WAITING = 4
_MOST = 16  # most workers by default
_ONLY_ASYNC = ("tasks",)


@dataclass(frozen=True, slots=True)
class Exploration:
    """The figures of one function."""

    target: str
    bound: Bound
    alone: PerBody
    sides: tuple[Side, ...]
    arms: tuple[Arm, ...]
    interference: Interference
    cpus: float
    is_async: bool
    printed: str = ""

    @property
    def failed(self) -> bool:
        """Whether the function raised in some backend."""
        return any(side.traceback for side in self.sides)


def body_of(target: str, positional: tuple[Any, ...], named: dict[str, Any]) -> Body:
    """Return the function as a body.

    :raises CommandError: there is no such function, or it does not take these arguments.
    """
    function = targets.load(target)
    targets.check_call(target, function, positional, named)
    if callables.is_generator(function):
        raise CommandError(
            f"{target} is a generator: calling it runs nothing of it. Write a function that consumes it, such as "
            f"`def run(): list({target.partition(':')[2]}())`, and explore that one."
        )
    return Body(function, positional, named, callables.is_async(function), target)


def explore(
    body: Body, limits: Tolerances, start_method: str, counts: Sequence[int], show: Callable[[str], None]
) -> Exploration:
    """Measure a body with one worker and in every backend; its output is discarded.

    :raises CommandError: it raises when it is called once; shows the traceback.
    """
    listener = silence.Listener()
    show(f"calling {body.label} once")
    before = Leftovers()
    with listener.listening():
        body, seconds = _call_once(body)
    around = WorkerEnvironment(Path.cwd(), start_method)
    context = SessionContext(limits, around, show)
    sides: list[Side] = []
    settlements: list[Settlement] = []
    setups: list[WorkerSetup] = []
    backends = [name for name in OPENERS if (name in _ONLY_ASYNC) == body.is_async]
    with silence.quiet(), Trial.of_body(body, context, expected=seconds, before=before) as trial:
        alone, first = _alone(trial, backends, limits)
        counts = counts or _counts_for(first)
        for backend in backends:
            for workers in counts:
                setup = WorkerSetup(backend, workers)
                side, settlement = _side(trial, setup, limits)
                sides.append(side)
                if settlement is not None:
                    settlements.append(settlement)
                    setups.append(setup)
        interference = trial.interference()
    measured = list(zip(setups, settlements, strict=True))
    return Exploration(
        target=body.label,
        bound=_bound(alone, first, measured),
        alone=per_body([round_.serial for round_ in first.rounds]),
        sides=tuple(sides),
        arms=tuple(arm for setup, each in measured for arm in arms_of(each.rounds, setup)),
        interference=interference,
        cpus=usable_cpus(),
        is_async=body.is_async,
        printed=listener.first_line,
    )


def _call_once(body: Body) -> tuple[Body, float]:
    """Call it in the main thread once; find out whether it returns a coroutine although it is not an ``async def``."""
    began = CLOCKS.wall()
    try:
        answer = body.call()
        if inspect.iscoroutine(answer):
            asyncio.run(answer)
            body = Body(body.function, body.positional, body.values, True, body.label)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise CommandError(
            f"{body.label} raised {type(error).__name__} when it was called once, so there is nothing to measure:\n\n"
            f"{targets.text_of(error)}"
        ) from None
    return body, CLOCKS.wall() - began


def _alone(trial: Trial, backends: Sequence[str], limits: Tolerances) -> tuple[WorkerSetup, Settlement]:
    """Measure one worker in the first backend that can run the body."""
    problem: BaseException | None = None
    for backend in backends:
        try:
            return WorkerSetup(backend), look(trial, WorkerSetup(backend), limits, _ALONE)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            problem = problem or error
    assert problem is not None
    raise CommandError(f"no backend can run it. The first problem:\n\n{targets.text_of(problem)}") from None


def _counts_for(alone: Settlement) -> tuple[int, ...]:
    if readings.median_cpu_share(alone.rounds) < _COMPUTES:
        return (_FOR_WAITING,)
    return (min(max(2, auto_workers()), _MOST),)


def _side(trial: Trial, setup: WorkerSetup, limits: Tolerances) -> tuple[Side, Settlement | None]:
    workers = setup.group_size
    try:
        settlement = look(trial, setup, limits)
    except CannotMeasure as error:  # its advice is for the author of a test
        return Side(setup.backend, workers, reason=in_one_line(error.why)), None
    except ConcurrencyError as error:
        return Side(setup.backend, workers, reason=in_one_line(str(error))), None
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        reason = f"it raised {type(error).__name__}, although a single call does not"
        return Side(setup.backend, workers, reason=reason, traceback=targets.text_of(error)), None
    together = [round_.concurrent for round_ in settlement.rounds if round_.concurrent is not None]
    side = Side(
        setup.backend,
        workers,
        speedup=settlement.results[0].estimate,
        each=per_body(together, setup.bodies_per_thread),
        rounds=len(settlement.rounds),
        seconds=settlement.seconds,
        reason="" if settlement.results[0].estimate else "no round could be read: other programs kept the machine busy",
    )
    return side, settlement


def _bound(alone: WorkerSetup, first: Settlement, measured: Sequence[tuple[WorkerSetup, Settlement]]) -> Bound:
    """Return the bound type, from workers that share one interpreter: only these can wait for its locks."""
    for setup, settlement in reversed(measured):
        if settlement.known.one_interpreter:
            return classify(settlement.rounds, setup, settlement.known)
    return classify(first.rounds, alone, first.known)
