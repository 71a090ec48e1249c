"""Runs a marked test: one plain call, then a verdict for each of its expectations."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pytest_concurrency.backends.batch import prepare_input
from pytest_concurrency.backends.lazy_results import refuse_lazy
from pytest_concurrency.core.errors import ConcurrencyError, ExpectationNotMet
from pytest_concurrency.core.model import Body
from pytest_concurrency.core.outcomes import Outcome
from pytest_concurrency.core.text import wrap
from pytest_concurrency.expectations.base import Expectation, Tolerances
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.measurement.trial import Request, SessionContext, Trial
from pytest_concurrency.probes.leftovers import Leftovers
from pytest_concurrency.session import undecided
from pytest_concurrency.session.calls.either_way import EitherWay
from pytest_concurrency.session.undecided import Skip
from pytest_concurrency.verdicts import left_running, message

_REPEATABLE = wrap(
    "The body passed when it was called once. It runs many times, in several workers at once: give each worker its own "
    "files, rows and ports (concurrency_tmp_path, concurrency_worker.index), give it new input with setup=, and leave "
    "nothing behind."
)


def run_once(body: Body) -> bool | None:
    """Run a marked body as a plain test; None leaves a plain function to pytest."""
    __tracebackhide__ = True
    if body.prepare is not None:
        prepare_input(body.prepare)
    if not body.is_async:
        return None
    asyncio.run(body.call())
    return True


def run_marked(
    body: Body,
    expectations: Sequence[Expectation],
    context: SessionContext,
    report: Callable[[Outcome], None],
    skip: Skip,
) -> None:
    """Call the body once as a plain test, then decide all of its expectations.

    :param skip: as :func:`undecided.follow` takes it.
    :raises ExpectationNotMet: one or more are not met.
    """
    __tracebackhide__ = True
    if body.prepare is not None:
        prepare_input(body.prepare)
    # Read before the first call, which may start threads that the measured calls use.
    before = None if body.is_async else Leftovers()
    began = CLOCKS.wall()
    if before is not None:
        with before.recording():
            answer = body.call()  # an exception is raised here, as in any plain test
        refuse_lazy(answer, CLOCKS.wall() - began)
        if answer is not None:
            warnings.warn(
                pytest.PytestReturnNotNoneWarning(
                    f"{body.label} returned {type(answer).__name__}: a test should return None. "
                    "Did you mean assert instead of return?"
                ),
                stacklevel=2,
            )
    seconds = CLOCKS.wall() - began
    pending: list[tuple[Outcome, Tolerances]] = []
    each = [(expectation, expectation.limits(context.defaults)) for expectation in expectations]
    patience = max(limits.max_time for _, limits in each)
    with (
        _Repeatable(first_call_passed=not body.is_async),
        context.alone(),
        Trial.of_body(body, context, patience, seconds, before) as trial,
    ):
        try:
            for expectation, limits in each:
                plan = expectation.plan(body, limits)
                outcome, _ = trial.decide(
                    Request(expectation.label, expectation.kind.name, expectation.given, plan, limits)
                )
                report(outcome)
                pending.append((outcome, limits))
        except (pytest.skip.Exception, pytest.xfail.Exception) as skipped:
            # The body has skipped in the workers of a later marker. Without this, that would hide what the markers
            # before it have found.
            if failure := _failure(pending, f"The body has then skipped the test for the next marker: {skipped}"):
                raise failure from None
            raise
    if context.profiler is not None:
        context.profiler(body, [outcome for outcome, _ in pending])
    # All expectations are decided before the first one that is not met fails the test: each goes into the report.
    if failure := _failure(pending):
        raise failure
    # What fails comes before what is measured again, and that before what skips.
    for outcome, limits in sorted(pending, key=_urgency):
        follow_policy(outcome, limits, skip)


def _urgency(each: tuple[Outcome, Tolerances]) -> int:
    outcome, limits = each
    return {"fail": 0, "retry": 1}.get(limits.undecided, 2) if outcome.verdict == "undecided" else 2


def _failure(decided: Sequence[tuple[Outcome, Tolerances]], more: str = "") -> ExpectationNotMet | None:
    """Return the error by which a test fails, with the line for pytest's short summary; None if it does not fail.

    :param more: what else the message says, at its end.
    """
    not_met = [outcome for outcome, _ in decided if outcome.verdict == "not_met"]
    changes = [change for outcome, _ in decided if (change := outcome.change) and change.kind == "regression"]
    left = left_running.latest(outcome.leftovers for outcome, limits in decided if limits.leftovers == "fail")
    messages = [*(outcome.reason for outcome in not_met), *(change.text for change in changes)]
    summaries = [message.summary(outcome.finding) for outcome in not_met if outcome.finding]
    summaries += [change.headline for change in changes]
    if left:
        messages.append(left_running.message_of(left))
        summaries.append(left_running.headline_of(left))
    if not messages:
        return None
    failure = ExpectationNotMet("\n\n".join([*messages, *([wrap(more)] if more else [])]))
    failure.summary = " ".join(summaries)
    return failure


class _Repeatable:
    """Adds to an exception of the body that its first call passed, so the repetition fails.

    Without it, users do not see why an existing test fails once it has a marker. This is a class, because the frames
    of a generator would be in the traceback.
    """

    def __init__(self, first_call_passed: bool) -> None:
        self._first_call_passed = first_call_passed

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        notes = getattr(error, "__notes__", None)
        if isinstance(error, ConcurrencyError):  # it says what to do
            return
        if self._first_call_passed and isinstance(error, Exception) and isinstance(notes, list):
            notes.append(_REPEATABLE)


def follow_policy(outcome: Outcome, limits: Tolerances, skip: Skip) -> Any:
    """Return whether an outcome counts as met; skip or fail the test if it is neither met nor not met.

    Fail it for what the code has left running, where that was asked for. With the undecided policy ``pass``, the test
    passes whether it asserts the comparison or its opposite.

    :param skip: as :func:`undecided.follow` takes it.
    """
    __tracebackhide__ = True
    regressed = outcome.change is not None and outcome.change.kind == "regression"
    if regressed and (failure := _failure([(outcome, limits)])):
        raise failure
    if outcome.leftovers and limits.leftovers == "fail":
        raise left_running.failure_of(outcome.leftovers)
    if outcome.verdict in ("met", "not_met"):
        return outcome.verdict == "met"
    if outcome.verdict == "unmeasurable":
        pytest.skip(f"unmeasurable: {outcome.reason}")
    shown = "" if outcome.finding is None else message.undecided(outcome.finding)
    undecided.follow(limits.undecided, skip, outcome.reason, shown)
    return EitherWay()
