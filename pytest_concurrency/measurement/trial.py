"""Trial: one test's measurements, from a request through a bench to an outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from pytest_concurrency.backends.base import Raised
from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.backends.event_loops.borrowed_loop import BorrowedLoop
from pytest_concurrency.core.errors import CannotMeasure, ConcurrencyError, WorkerLost
from pytest_concurrency.core.leftovers import Leftover, merged
from pytest_concurrency.core.model import Body, Interference, Interval
from pytest_concurrency.core.outcomes import Outcome
from pytest_concurrency.engine.plan import Plan, WorkerSetup
from pytest_concurrency.engine.procedure import settle
from pytest_concurrency.engine.settlement import Settlement
from pytest_concurrency.expectations.base import Tolerances
from pytest_concurrency.measurement.base_bench import BaseBench
from pytest_concurrency.measurement.worker_bench import WorkerBench
from pytest_concurrency.probes import unawaited
from pytest_concurrency.probes.leftovers import Leftovers
from pytest_concurrency.verdicts import worker_errors
from pytest_concurrency.verdicts.outcome import combine, judge, loses_time, not_measured

__tracebackhide__ = True  # pytest shows a failure at the line of the test

_LEAST_PATIENCE = 10.0  # seconds that a batch gets at least before its workers are given up


@dataclass(frozen=True, slots=True)
class Request:
    """What one marker, or one call of the fixture, requires of a body; ``label`` is what the test's author wrote."""

    label: str
    marker: str
    arguments: Mapping[str, Any]
    plan: Plan
    limits: Tolerances
    subject: str = ""  # the measured call; together with the arguments, it identifies the request in later runs


@dataclass(frozen=True, slots=True)
class SessionContext:
    """What a trial needs to know about its session."""

    defaults: Tolerances
    around: WorkerEnvironment
    progress: Callable[[str], None] | None = None
    # Returns the context in which a measurement runs. Its argument is the event loop of another plugin if that runs the
    # test: a time limit can be changed only in the loop's thread, and waiting for the host must not count against it.
    exclusive: Callable[[BorrowedLoop | None], AbstractContextManager[object]] = nullcontext
    # Takes a body and outcomes about it, and runs the body once more if one of them asks for a profile.
    profiler: Callable[[Body, Sequence[Outcome]], None] | None = None
    comparable: Callable[[Sequence[Interval], int], bool] | None = None  # whether the rounds are enough to compare runs
    # The regression check: takes an outcome and a function that measures it again, and returns the outcome with its
    # change since a baseline.
    gate: Callable[[Outcome, Callable[[], Outcome]], Outcome] | None = None

    def on(self, loop: BorrowedLoop | None) -> SessionContext:
        """Return the context for measuring on the event loop that the test itself runs on; None if there is none."""
        return self if loop is None else replace(self, around=replace(self.around, borrowed_loop=loop))

    def alone(self) -> AbstractContextManager[object]:
        """Return the context in which a measurement runs."""
        return self.exclusive(self.around.borrowed_loop)

    def extended(self, plan: Plan) -> Plan:
        """Return a plan that measures as many rounds as a comparison needs."""
        return replace(plan, comparable=self.comparable)


def patience(max_time: float) -> float:
    """Return the seconds after which a batch counts as hung, where a verdict may take ``max_time`` seconds."""
    return max(_LEAST_PATIENCE, max_time)


def worker_bench(
    body: Body,
    context: SessionContext,
    max_time: float | None = None,
    expected: float = 0.0,
    before: Leftovers | None = None,
) -> WorkerBench:
    """Return the bench of one body; see :meth:`Trial.of_body`."""
    return WorkerBench(
        body,
        context.around,
        patience=patience(max_time or context.defaults.max_time),
        progress=context.progress,
        expected=expected,
        before=before,
    )


class Trial:
    """A bench that serves several expectations of a test; leaving the ``with`` block closes it."""

    def __init__(self, bench: BaseBench, context: SessionContext) -> None:
        self._bench = bench
        self._context = context

    @classmethod
    def of_body(
        cls,
        body: Body,
        context: SessionContext,
        max_time: float | None = None,
        expected: float = 0.0,
        before: Leftovers | None = None,
    ) -> Trial:
        """Return a trial of one body; it has started no worker yet.

        :param max_time: seconds that a verdict may take, if not the session's: a batch that takes longer has hung.
        :param expected: seconds that one call of the body takes, as far as known.
        :param before: created before the body was first called; None if it has not been called yet.
        """
        return cls(worker_bench(body, context, max_time, expected, before), context)

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._bench.close()

    def settle(self, plan: Plan, limits: Tolerances) -> Settlement:
        """Measure one plan; exceptions of the body are raised again, with a note of where they come from.

        :raises WorkerLost: a worker died, hung or sent an invalid answer.
        :raises BadArgument: the code does not await what it calls.
        """
        try:
            with unawaited.refused():
                return settle(plan, self._bench, limits.max_time, self._context.progress)
        except Raised as raised:
            raise with_note(raised) from raised.error.__cause__
        except WorkerLost as lost:
            raise (
                lost if lost.round is None else WorkerLost(f"{lost}\nwhile measuring: {_stage(lost.round)}")
            ) from None
        except ConcurrencyError as error:
            # The traceback shows only where this plugin noticed the error, which does not help the test's author.
            raise error.with_traceback(None) from None

    def note(self, setup: WorkerSetup) -> str:
        """Return how the workers of a measured setup were started."""
        return self._bench.note(setup)

    def interference(self) -> Interference:
        """Return what else the machine did since the trial began."""
        return self._bench.interference()

    def decide(self, question: Request) -> tuple[Outcome, Settlement | None]:
        """Return the outcome, and the settlement with the last rounds behind it if any were measured."""
        outcome, settlement = self._answer(question)
        outcome = replace(outcome, subject=question.subject)
        if self._context.gate is not None:
            outcome = self._context.gate(outcome, lambda: self._again(question))
        return replace(outcome, leftovers=self.left_behind()), settlement

    def left_behind(self) -> tuple[Leftover, ...]:
        """Return what the calls so far have left running."""
        return merged(self._bench.left_behind())

    def _again(self, question: Request) -> Outcome:
        """Measure once more with newly started workers."""
        self._bench.refresh(question.plan.setup)
        return self._answer(question)[0]

    def _answer(self, question: Request) -> tuple[Outcome, Settlement | None]:
        plan = question.plan
        answers = [self._measured(replace(question, plan=step)) for step in (*plan.steps, plan)]
        outcomes = [outcome for outcome, _ in answers]
        return (combine(outcomes) if plan.steps else outcomes[0]), answers[-1][1]

    def _measured(self, question: Request) -> tuple[Outcome, Settlement | None]:
        plan = question.plan
        try:
            settlement = self.settle(self._context.extended(plan), question.limits)
        except CannotMeasure as reason:
            return not_measured(question.label, question.marker, question.arguments, plan, reason), None
        lost_at = self._bench.lost_at(plan.setup) if loses_time(plan, settlement) else None
        return judge(
            question.label,
            question.marker,
            question.arguments,
            plan,
            settlement,
            lost_at=lost_at,
            note=self._bench.note(plan.setup),
            interference=self._bench.interference(),
        ), settlement


def with_note(raised: Raised) -> BaseException:
    """Return the body's own exception, with a note of the worker and the round in which it was raised."""
    error = raised.error
    where = f"while measuring: {raised.worker}, {_stage(raised.round)}" + (f"\n{raised.hint}" if raised.hint else "")
    if isinstance(error, WorkerLost):  # pytest shows this plugin's errors without their notes
        return WorkerLost(f"{error}\n{where}")
    if isinstance(error, KeyboardInterrupt):
        # Ctrl-C interrupts the session's main thread. This exception comes from the body, and must not end the session.
        text = worker_errors.lost(
            f"the body raised {worker_errors.described(error)}",
            try_next="raise another exception in the body; Ctrl-C reaches the session and not its workers.",
        )
        return WorkerLost(f"{text}\n{where}").with_traceback(error.__traceback__)
    notes = getattr(error, "__notes__", None)
    if isinstance(notes, list):
        notes.append(where)
    else:
        error.__notes__ = [where]  # type: ignore[attr-defined]  # 3.10 has no add_note(), and pytest shows the notes there too
    return error


def _stage(round_: int | None) -> str:
    return f"round {round_}" if round_ else "warming up"
