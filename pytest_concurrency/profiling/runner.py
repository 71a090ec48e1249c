"""Runs a body again under the chosen profilers, within a limited time."""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from statistics import median
from types import FunctionType
from typing import Any

from pytest_concurrency.backends import hung
from pytest_concurrency.backends.base import Hung, Raised
from pytest_concurrency.backends.batch import forget_inputs, prepare_input
from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.backends.threads import ThreadWorkers
from pytest_concurrency.core.model import Body
from pytest_concurrency.core.outcomes import Arm, Outcome
from pytest_concurrency.core.units import count, duration
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.profiling import (
    cprofile_tool,
    line_tool,
    line_waits,
    samplers,
    stack_sampler,
    worker_sampling,
)
from pytest_concurrency.profiling.model import Profile

_SPAN = 0.2  # seconds that a run of a short body should take
_MOST_CALLS = 1000
_ENDING = 1.0  # seconds that tasks which the body has left get to end
_LOOK = 2e-5  # seconds; reading all clocks at a line takes no longer
_TRACED = "A tracer runs (coverage, a debugger), so lines of Python appear slower than they are."
_NO_LINES = "line_profiler would replace the tracer of this run (coverage, a debugger)"
_NOT_MET = ("not_met", "undecided")


class Profiler:
    """Receives every outcome about a body, and profiles those that the option asks for.

    :param tool: ``cprofile``, ``line``, ``tachyon`` or ``py-spy``.
    :param mode: which samples count of the last two: ``wall``, ``cpu`` or ``gil``.
    :param always: whether verdicts that are met are profiled too.
    :param seconds: time limit for the profiles of one body.
    :param keep: receives each profile.
    """

    def __init__(
        self,
        tool: str,
        mode: str,
        always: bool,
        seconds: float,
        around: WorkerEnvironment,
        keep: Callable[[Profile], None],
    ) -> None:
        self._tool = tool
        self._mode = mode
        self._around = around
        self._wanted = ("met", *_NOT_MET) if always else _NOT_MET
        self._seconds = seconds
        self._keep = keep

    def __call__(self, body: Body, outcomes: Sequence[Outcome]) -> None:
        """Profile a body once if an outcome requires it. Exceptions of the body are not raised."""
        wanted = [outcome for outcome in outcomes if outcome.verdict in self._wanted and outcome.arms]
        if not wanted:
            return
        try:
            run = _Run(body, self._tool, wanted, self._seconds)
            self._keep(run.sampled(self._mode, self._around) or run.profile())
        except Exception as error:  # An error in a profile must not change the outcome of a test; a time limit may.
            note = f"There is no profile: {type(error).__name__}: {error}"
            self._keep(Profile(body.label, self._tool, notes=(note,)))
        finally:
            forget_inputs()


class _Run:
    """One body's profile in the making."""

    def __init__(self, body: Body, tool: str, outcomes: Sequence[Outcome], seconds: float) -> None:
        self._body = body
        self._tool = tool
        self._outcomes = outcomes
        self._end = CLOCKS.wall() + seconds
        self._seconds = seconds
        self._each = _seconds_of_call(outcomes[0].arms[0])
        self._notes: list[str] = []

    def sampled(self, mode: str, around: WorkerEnvironment) -> Profile | None:
        """Return what a sampling profiler saw of the workers themselves; None if another tool is to be used."""
        self._tool, why = samplers.choose(self._tool)
        self._notes += [why] if why else []
        if self._tool not in samplers.SAMPLERS:
            return None
        flame = None
        try:
            flame = worker_sampling.sample(
                self._body, self._outcomes, around, self._tool, mode, self._end - CLOCKS.wall()
            )
        except worker_sampling.CannotSample as error:
            self._notes.append(f"{error} cProfile was used in its place.")
            self._tool = "cprofile"
            return None
        except (Hung, Raised) as error:
            self._notes.append(self._why_not_all(error))
        return Profile(self._body.label, self._tool, flame=flame, notes=tuple(self._notes))

    def profile(self) -> Profile:
        body, calls = self._body, 0
        costs: tuple[Any, ...] = ()
        try:
            calls, costs = self._costs()
            standing = self._standing()
        except _TooLong as late:
            self._notes.append(str(late))
            standing = None
        except (Hung, Raised) as error:
            self._notes.append(self._why_not_all(error))
            standing = None
        if any(arm.backend == "processes" for outcome in self._outcomes for arm in outcome.arms):
            self._notes.append("The worker processes themselves are not watched: this is one call in the test's own.")
        return Profile(body.label, self._tool, max(1, calls), costs, standing, notes=tuple(self._notes))

    def _why_not_all(self, error: Hung | Raised) -> str:
        if isinstance(error, Raised):
            return f"The extra run ended with {type(error.error).__name__}: {error.error}"
        return (
            "Not all was looked at: the extra run, which a profiler makes slower, had not ended when max_time="
            f"{duration(self._seconds)} was over; it stood at {error.places[0]}. "
            "Make the body smaller, or raise --concurrency-max-time."
        )

    def _calls(self, each: float) -> int:
        return max(1, min(_MOST_CALLS, math.ceil(_SPAN / each)))

    def _costs(self) -> tuple[int, tuple[Any, ...]]:
        """Return how often the body ran, and the times of its functions or lines."""
        watched = self._watched(computing_only=False)
        if watched is None:
            return 0, ()
        wall, calls = watched
        if self._tool == "line":
            return calls, self._lines(wall, calls)
        cpu, as_often = self._watched(computing_only=True) or ({}, 1)
        return calls, cprofile_tool.costs(wall, calls, cpu, as_often)

    def _watched(self, computing_only: bool) -> tuple[dict[cprofile_tool.Entry, cprofile_tool.Own], int] | None:
        """Run the body under cProfile once, and more often if it is short. cProfile may make it many times slower."""
        began = CLOCKS.wall()
        found = self._in_thread(lambda run: cprofile_tool.watch(run, computing_only), 1)
        each = max(self._each, CLOCKS.wall() - began)
        calls = self._calls(each)
        if found is not None and calls > 1:
            found = self._in_thread(lambda run: cprofile_tool.watch(run, computing_only), calls, each)
        return None if found is None else (found, calls)

    def _lines(self, wall: dict[cprofile_tool.Entry, cprofile_tool.Own], calls: int) -> tuple[Any, ...]:
        found = line_tool.functions_of(cprofile_tool.authors_code(wall))
        if not found:
            self._notes.append("No function was found whose lines could be watched.")
            return ()
        timed = self._in_thread(lambda run: line_tool.watch(run, found), calls)
        if timed is None:
            return ()
        return line_tool.costs(timed, self._waiting(timed, found), calls)

    def _waiting(
        self, timed: Mapping[line_waits.Line, tuple[int, float]], found: Sequence[FunctionType]
    ) -> dict[line_waits.Line, float] | None:
        """Return how long one call waits in each line; None if there is no time left for that."""
        before = self._calls(self._each)
        each = self._each + _LOOK * sum(hits for hits, _ in timed.values()) / before
        calls = self._calls(each)
        codes = [function.__code__ for function in found]
        try:
            off = self._in_thread(lambda run: line_waits.watch(run, codes), calls, each)
        except (_TooLong, Hung):
            self._notes.append(
                "There was no time left to tell waiting and computing apart: raise --concurrency-max-time."
            )
            return None
        return None if off is None else {line: seconds / calls for line, seconds in off.items()}

    def _in_thread(self, tool: Callable[[Callable[[], Any]], Any], calls: int, each: float | None = None) -> Any:
        """Run the body several times under a tool, in a separate thread, which can be abandoned if the body hangs."""
        answer: list[Any] = []

        def job() -> None:
            traced = sys.gettrace() is not None
            if why := cprofile_tool.conflict() or (traced and self._tool == "line" and _NO_LINES):
                answer.append(why)
                return
            if traced and _TRACED not in self._notes:
                self._notes.append(_TRACED)
            with _runner(self._body) as run:
                answer.append(tool(lambda: run(calls)))

        self._in_group({"body": job}, 1, 1, (each or self._each) * calls)
        if isinstance(answer[0], str):
            self._notes.append(f"No profile of functions: {answer[0]}.")
            return None
        return answer[0]

    def _standing(self) -> Any:
        arms = [arm for outcome in self._outcomes for arm in outcome.arms]
        comparison = any(arm.backend == "compare" for arm in arms)
        if comparison and self._body.is_async:
            return None  # tasks have no stack of their own to look at
        several = [arm for arm in arms if arm.backend == "threads" and arm.workers > 1]
        widest = max(several, key=lambda arm: arm.workers, default=None)
        if widest is None and not comparison:
            return None
        if why := stack_sampler.unavailable():
            self._notes.append(why)
            return None
        bounds = [outcome.bound for outcome in self._outcomes if outcome.bound is not None]
        gil = any(bound.kind == "cpu" and bound.gil == "held" for bound in bounds)
        if widest is not None and not comparison:
            # With the time of a call of one worker, threads that wait for each other would run far longer than planned.
            seen = self._look(widest.workers, _seconds_of_call(widest))
            return stack_sampler.standing(seen, count(widest.workers, "thread"), gil)
        seen = self._look_at_new_threads()
        return stack_sampler.standing(seen, "its threads", False) if seen.looks else None

    def _look(self, workers: int, each: float) -> stack_sampler.Seen:
        calls = self._calls(each)

        def job() -> None:
            with _runner(self._body) as run:
                run(calls)

        group: list[ThreadWorkers] = []
        looker = stack_sampler.StackSampler(
            lambda: [ident for one in group for ident in one.idents if ident is not None]
        )
        with looker:
            self._in_group({"body": job}, workers, workers, each * calls, group)
        return looker.seen

    def _look_at_new_threads(self) -> stack_sampler.Seen:
        known = set(sys._current_frames())
        # Called in the sampler's thread, which is new, too.
        looker = stack_sampler.StackSampler(lambda: set(sys._current_frames()) - known - {threading.get_ident()})
        with looker:
            self._in_thread_of_test(self._calls(self._each))
        return looker.seen

    def _in_thread_of_test(self, calls: int) -> None:
        self._in_time(self._each * calls)
        for _ in repeat(None, calls):
            self._body.call()

    def _in_group(
        self,
        jobs: dict[str, Callable[[], Any]],
        size: int,
        workers: int,
        expected: float,
        shared: list[ThreadWorkers] | None = None,
    ) -> None:
        left = self._in_time(expected)
        group = ThreadWorkers(jobs, size)
        if shared is not None:
            shared.append(group)
        try:
            group.run(workers, 1, left)
        finally:
            group.close()

    def _in_time(self, expected: float) -> float:
        left = self._end - CLOCKS.wall()
        if expected > left:
            raise _TooLong(
                f"Not all was looked at: a run takes {duration(expected)}, and a profile may take max_time="
                f"{duration(self._seconds)} in all. Raise --concurrency-max-time to see more."
            )
        return left


class _TooLong(Exception):
    """There is no time left."""


def _seconds_of_call(arm: Arm) -> float:
    """Return how long each worker took for a call while all of them ran."""
    return max(median(arm.wall) / max(arm.loops, 1), 1e-7) if arm.wall else 1e-3


@contextlib.contextmanager
def _runner(body: Body) -> Any:
    """Yield a function that calls the body several times in this thread; an ``async def`` on an event loop."""
    call = body.call
    if body.prepare is not None:
        prepare_input(body.prepare)
    if not body.is_async:

        def run(calls: int) -> None:
            for _ in repeat(None, calls):
                call()

        yield run
        return
    loop = asyncio.new_event_loop()

    async def several(calls: int) -> None:
        for _ in repeat(None, calls):
            await call()

    try:
        asyncio.set_event_loop(loop)
        yield lambda calls: loop.run_until_complete(several(calls))
    finally:
        hung.end_loop(loop, _ENDING)
