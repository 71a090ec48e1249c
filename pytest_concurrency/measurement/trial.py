"""One test's measurements: a bench, and how a request to it becomes an outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from pytest_concurrency.backends.base import Raised
from pytest_concurrency.backends.borrowed_loop import BorrowedLoop
from pytest_concurrency.backends.environment import WorkerEnvironment
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
from pytest_concurrency.probes.leftovers import Leftovers
from pytest_concurrency.verdicts.outcome import combine, judge, loses_time, not_measured

__tracebackhide__ = True  # pytest shows a failure at the line of the test

_LEAST_PATIENCE = 10.0  # seconds that a batch gets before its workers are given up


@dataclass(frozen=True, slots=True)
class Request:
    """What one marker, or one call of the fixture, asks of a body. ``label`` is how its author wrote it."""

    label: str
    marker: str
    arguments: Mapping[str, Any]
    plan: Plan
    limits: Tolerances
    subject: str = ""  # the call that is measured, which with the arguments identifies it in later runs


@dataclass(frozen=True, slots=True)
class SessionContext:
    """What a trial needs to know of its session."""

    defaults: Tolerances
    around: WorkerEnvironment
    progress: Callable[[str], None] | None = None
    # Makes what a measurement goes on in. It is given the event loop of another plugin, if that runs the test: a time
    # limit can be changed in the loop's thread only, and waiting for the host must not count against it.
    exclusive: Callable[[BorrowedLoop | None], AbstractContextManager[object]] = nullcontext
    # Takes a body and outcomes about it, and runs it once more if one of them asks for a profile.
    profiler: Callable[[Body, Sequence[Outcome]], None] | None = None
    comparable: Callable[[Sequence[Interval], int], bool] | None = None  # whether rounds will do to compare runs by
    # Takes an outcome and what measures it again; returns the outcome, with its change since a baseline.
    gate: Callable[[Outcome, Callable[[], Outcome]], Outcome] | None = None

    def on(self, loop: BorrowedLoop | None) -> SessionContext:
        """Return these for measuring on an event loop that the test itself runs on; None: on none."""
        return self if loop is None else replace(self, around=replace(self.around, borrowed_loop=loop))

    def alone(self) -> AbstractContextManager[object]:
        """Return what a measurement goes on in."""
        return self.exclusive(self.around.borrowed_loop)

    def extended(self, plan: Plan) -> Plan:
        """Return a plan that measures as many rounds as a comparison needs."""
        return replace(plan, comparable=self.comparable)


def patience(max_time: float) -> float:
    """Return the seconds that a batch gets before it counts as hung, where a verdict may take ``max_time``."""
    return max(_LEAST_PATIENCE, max_time)


def worker_bench(
    body: Body,
    circumstances: SessionContext,
    max_time: float | None = None,
    expected: float = 0.0,
    before: Leftovers | None = None,
) -> WorkerBench:
    """Return the bench of one body; see :meth:`Trial.of_body`."""
    return WorkerBench(
        body,
        circumstances.around,
        patience=patience(max_time or circumstances.defaults.max_time),
        progress=circumstances.progress,
        expected=expected,
        before=before,
    )


class Trial:
    """A bench, kept from one expectation to the next. Close it in the end."""

    def __init__(self, bench: BaseBench, circumstances: SessionContext) -> None:
        self._bench = bench
        self._circumstances = circumstances

    @classmethod
    def of_body(
        cls,
        body: Body,
        circumstances: SessionContext,
        max_time: float | None = None,
        expected: float = 0.0,
        before: Leftovers | None = None,
    ) -> Trial:
        """Return a trial with workers of one body; none is started yet.

        :param max_time: seconds that a verdict may take, if not the session's: a batch that takes longer has hung.
        :param expected: seconds that one body takes, as far as known.
        :param before: made before the body was first called; None if it has not been called yet.
        """
        return cls(worker_bench(body, circumstances, max_time, expected, before), circumstances)

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._bench.close()

    def settle(self, plan: Plan, limits: Tolerances) -> Settlement:
        """Measure one plan; the body's own exceptions come out as they were raised.

        :raises WorkerLost: a worker died, hung or answered nonsense.
        """
        try:
            return settle(plan, self._bench, limits.max_time, self._circumstances.progress)
        except Raised as raised:
            raise with_note(raised) from raised.error.__cause__
        except WorkerLost as lost:
            raise (
                lost if lost.round is None else WorkerLost(f"{lost}\nwhile measuring: {_stage(lost.round)}")
            ) from None
        except ConcurrencyError as error:
            # Where in this plugin it was noticed tells the test's author nothing.
            raise error.with_traceback(None) from None

    def note(self, setup: WorkerSetup) -> str:
        """How the workers of a setup that was measured were started."""
        return self._bench.note(setup)

    def interference(self) -> Interference:
        """What else the machine did since the trial began."""
        return self._bench.interference()

    def decide(self, question: Request) -> tuple[Outcome, Settlement | None]:
        """Return the outcome, with the last rounds behind it if any were measured."""
        outcome, settlement = self._answer(question)
        outcome = replace(outcome, subject=question.subject)
        if self._circumstances.gate is not None:
            outcome = self._circumstances.gate(outcome, lambda: self._again(question))
        return replace(outcome, leftovers=self.left_behind()), settlement

    def left_behind(self) -> tuple[Leftover, ...]:
        """Return what the calls so far have left running."""
        return merged(self._bench.left_behind())

    def _again(self, question: Request) -> Outcome:
        """Measure once more with fresh workers."""
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
            settlement = self.settle(self._circumstances.extended(plan), question.limits)
        except CannotMeasure as reason:
            return not_measured(question.label, question.marker, question.arguments, plan, str(reason)), None
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
    """Return the body's own exception, with a note of the worker and round that it comes from."""
    error = raised.error
    where = f"while measuring: {raised.worker}, {_stage(raised.round)}" + (f"\n{raised.hint}" if raised.hint else "")
    if isinstance(error, WorkerLost):  # shown without notes, as all errors of this plugin are
        return WorkerLost(f"{error}\n{where}")
    if isinstance(error, KeyboardInterrupt):
        # Ctrl-C reaches the session's main thread. This one is the body's, and must not end the session.
        return WorkerLost(
            f"the body raised KeyboardInterrupt{f': {error}' if str(error) else ''}\n{where}"
        ).with_traceback(error.__traceback__)
    notes = getattr(error, "__notes__", None)
    if isinstance(notes, list):
        notes.append(where)
    else:
        error.__notes__ = [where]  # type: ignore[attr-defined]  # 3.10 has no add_note(), and pytest shows the notes there too
    return error


def _stage(round_: int | None) -> str:
    return f"round {round_}" if round_ else "warming up"
