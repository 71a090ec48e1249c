"""Compares a test's figures with the baseline while its workers still exist.

A loss that looks certain is measured again with newly started workers, as every failure is: a test fails only if
both measurements show the loss.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_concurrency.core.outcomes import Change, Finding, Outcome, Series
from pytest_concurrency.core.text import sentence
from pytest_concurrency.core.units import count, ratio, share
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.runs import record, run_comparison
from pytest_concurrency.runs.allowed_loss import AllowedLoss
from pytest_concurrency.verdicts import message

_LOOK = 0.01  # how often one measurement may be wrong: two are required, and run_comparison.ERROR is for both
_PAUSE = 0.2  # seconds between the measurements, in which a burst of interference passes


class RegressionCheck:
    """One test's part of the baseline."""

    def __init__(
        self,
        baseline: str,
        expectations: Mapping[run_comparison.Key, Mapping[str, Any]],
        limits: Sequence[AllowedLoss],
        renewal: str,
    ):
        """``renewal`` says how to make another run the baseline."""
        self._baseline = baseline
        self._expectations = expectations
        self._limits = limits
        self._renewal = renewal
        self._seen: Counter[tuple[str, str]] = Counter()

    def look(self, outcome: Outcome, again: Callable[[], Outcome]) -> Outcome:
        """Return the outcome, with the change if it has become slower; measures again to confirm a loss."""
        before = self._before(outcome)
        # An expectation that is not met fails anyway. The verdicts on the claims of a bound type do not say so.
        if before is None or (outcome.verdict == "not_met" and outcome.marker != "bound"):
            return outcome
        suspects = self._losses(before, outcome.series, _LOOK)
        if not suspects:
            return outcome
        CLOCKS.sleep(_PAUSE)
        second = again()
        pooled = _pooled(outcome.series, second.series)
        confirmed = self._losses(before, second.series, _LOOK) & suspects
        sure = self._losses(before, pooled, run_comparison.ERROR) & confirmed
        outcome = replace(
            outcome, series=pooled, rounds=outcome.rounds + second.rounds, seconds=outcome.seconds + second.seconds
        )
        if sure:
            finding, figures = self._finding(outcome, before, max(sure, key=lambda workers: workers or 0))
            text = message.render(finding, figures)
            return replace(outcome, change=Change("regression", text, message.summary(finding), self._baseline))
        text = f"it looked slower than in {self._baseline}, and a second measurement did not confirm it"
        return replace(outcome, change=Change("unconfirmed", text, text, self._baseline))

    def _before(self, outcome: Outcome) -> dict[int | None, list[tuple[float, float]]] | None:
        arguments = record.plain(dict(outcome.arguments))
        key = (outcome.marker, run_comparison.identity(arguments, outcome.subject))
        self._seen[key] += 1
        found = self._expectations.get((*key, self._seen[key] - 1))
        return run_comparison.series_of(found) if found is not None else None

    def _losses(self, before: Mapping[int | None, Any], series: Sequence[Series], error: float) -> set[int | None]:
        """Return the worker counts at which there is a loss with high confidence."""
        return {
            points.workers
            for points in series
            if points.workers in before
            and run_comparison.judge(before[points.workers], _bounds(points), points.workers, self._limits, error).kind
            == "regression"
        }

    def _finding(self, outcome: Outcome, before: Mapping[int | None, Any], workers: int | None) -> tuple[Finding, str]:
        """Return what the failure says, and both figures with the rounds behind them."""
        now = _bounds(next(points for points in outcome.series if points.workers == workers))
        old, new = run_comparison.middle(before[workers]), run_comparison.middle(now)
        given = [f"{name}={value!r}" for name, value in outcome.arguments.items()]
        arguments = ", ".join([outcome.subject, *given] if outcome.subject else given)
        at = f" with {count(workers, 'worker')}" if len(outcome.series) > 1 and workers else ""
        allowed = ", ".join(map(str, self._limits))
        finding = Finding(
            kind="regression",
            headline=(
                f"{outcome.marker}({arguments}) REGRESSED from {self._baseline}: {ratio(new)}{at}, and it was "
                f"{ratio(old)} ({share(new / old - 1)}); allowed loss: {allowed}."
            ),
            cause=f"{outcome.bound.kind}. {sentence(outcome.bound.evidence)}" if outcome.bound is not None else "",
            try_next=(
                "look for what the workers share since then: a lock, a smaller pool, a call that holds the GIL. If the "
                f"loss is intended, {self._renewal}."
            ),
            certainty="Confirmed by two measurements, the second with newly started workers after a pause.",
        )
        return finding, f"Measured:\n  {_line(self._baseline, before[workers])}\n  {_line('this run', now)}"


def _pooled(first: Sequence[Series], second: Sequence[Series]) -> tuple[Series, ...]:
    more = {series.workers: series.bounds for series in second}
    return tuple(Series(series.workers, series.bounds + more.get(series.workers, ())) for series in first)


def _bounds(series: Series) -> list[tuple[float, float]]:
    return [(bound.low, bound.high) for bound in series.bounds]


def _line(name: str, rounds: Sequence[tuple[float, float]]) -> str:
    sure = run_comparison.spread(rounds, run_comparison.ERROR)
    within = f" (interval {ratio(sure.low)} to {ratio(sure.high)})" if sure else ""
    return f"{name}: {ratio(run_comparison.middle(rounds))}{within}, {count(len(rounds), 'round')}"
