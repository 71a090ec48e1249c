"""One test's measurements: its body, its workers and the outcomes so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from pytest_concurrency.backends import Surroundings
from pytest_concurrency.backends.base import Raised
from pytest_concurrency.bench import Workbench
from pytest_concurrency.errors import CannotMeasure, ConcurrencyError, WorkerLost
from pytest_concurrency.expectations.base import Limits
from pytest_concurrency.judge import combine, judge, workers_of
from pytest_concurrency.measure import Settlement, settle
from pytest_concurrency.model import Body, Outcome
from pytest_concurrency.plan import Plan

_LEAST_PATIENCE = 10.0  # seconds that a batch gets before its workers are given up


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a trial needs to know of its session."""

    defaults: Limits
    around: Surroundings
    progress: Callable[[str], None] | None = None
    alone: Callable[[], AbstractContextManager[None]] = nullcontext  # what a measurement goes on in


class Trial:
    """Workers of one body, kept from one expectation to the next. Close it in the end."""

    def __init__(self, body: Body, circumstances: Circumstances, expected: float = 0.0) -> None:
        self._body = body
        self._circumstances = circumstances
        self._bench = Workbench(
            body,
            circumstances.around,
            patience=max(_LEAST_PATIENCE, circumstances.defaults.max_time),
            progress=circumstances.progress,
            expected=expected,
        )

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._bench.close()

    def settle(self, plan: Plan, limits: Limits) -> Settlement:
        """Measure one plan; the body's own exceptions come out as they were raised.

        :raises WorkerLost: a worker died, hung or answered nonsense.
        """
        __tracebackhide__ = True
        try:
            return settle(plan, self._bench, limits.max_time, self._circumstances.progress)
        except Raised as raised:
            raise with_note(raised) from raised.error.__cause__
        except ConcurrencyError as error:
            # Where in this plugin it was noticed tells the test's author nothing.
            raise error.with_traceback(None) from None

    def decide(
        self, label: str, marker: str, arguments: Mapping[str, Any], plan: Plan, limits: Limits
    ) -> tuple[Outcome, Settlement | None]:
        """Return the outcome of one expectation, with the last rounds behind it if any were measured."""
        __tracebackhide__ = True
        outcomes = []
        settlement = None
        for step in (*plan.steps, plan):
            outcome, settlement = self._decide_one(label, marker, arguments, step, limits)
            outcomes.append(outcome)
        return (combine(outcomes) if plan.steps else outcomes[0]), settlement

    def _decide_one(
        self, label: str, marker: str, arguments: Mapping[str, Any], plan: Plan, limits: Limits
    ) -> tuple[Outcome, Settlement | None]:
        __tracebackhide__ = True
        try:
            settlement = self.settle(plan, limits)
        except CannotMeasure as reason:
            return unmeasured(marker, arguments, plan, str(reason)), None
        outcome = judge(
            label,
            marker,
            arguments,
            plan,
            settlement,
            note=self._bench.note(plan.setup),
            interference=self._bench.interference(),
        )
        return outcome, settlement


def unmeasured(marker: str, arguments: Mapping[str, Any], plan: Plan, reason: str) -> Outcome:
    """The outcome of an expectation of which nothing could be measured."""
    return Outcome(
        marker=marker,
        arguments=dict(arguments),
        verdict="unmeasurable",
        reason=reason,
        estimate=None,
        threshold=plan.claims[0].threshold,
        rounds=0,
        seconds=0.0,
        workers=workers_of(plan.setup),
    )


def with_note(raised: Raised) -> BaseException:
    """Return the body's own exception, with a note of the worker and round that it comes from."""
    error = raised.error
    where = f"while measuring: {raised.worker}" + (f", round {raised.round}" if raised.round else ", warming up")
    if isinstance(error, WorkerLost):  # shown without notes, as all errors of this plugin are
        return WorkerLost(f"{error}\n{where}")
    notes = getattr(error, "__notes__", None)
    if isinstance(notes, list):
        notes.append(where)
    else:
        error.__notes__ = [where]  # type: ignore[attr-defined]  # 3.10 has no add_note(), and pytest shows the notes there too
    return error
