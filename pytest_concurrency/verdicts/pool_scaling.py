"""The scaling of a pool that the measured function makes itself: outcomes and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_concurrency.core.leftovers import Leftover
from pytest_concurrency.core.model import Round
from pytest_concurrency.core.outcomes import Bound, Finding, Outcome
from pytest_concurrency.core.text import sentence
from pytest_concurrency.core.units import count, formatter, number, share, within
from pytest_concurrency.engine.scaling_laws import point_of
from pytest_concurrency.verdicts import curves, left_running
from pytest_concurrency.verdicts.outcome import combine, words

BACKEND = "pool"  # of an outcome about the function's own pool
_TRY = "look for what they share (a lock, a connection pool, a rate limit, the GIL), or make the pool smaller."


def workers_of(size: int) -> str:
    """``a pool of 10``."""
    return f"a pool of {size}"


def outcome_of(outcome: Outcome, rounds: Sequence[Round], size: int, first: int) -> Outcome:
    """Return the outcome of a comparison of two pool sizes as one of a point of the curve."""
    finding = outcome.finding
    if finding is not None and outcome.verdict == "not_met":
        finding = _finding(outcome, finding, size, first)
    return replace(
        outcome,
        curve=(point_of(rounds, size, outcome.estimate, base=first),) if outcome.estimate and rounds else (),
        series=tuple(replace(series, workers=size) for series in outcome.series),
        workers=workers_of(size),
        backend=BACKEND,
        worker_count=None,
        finding=finding,
        reason=words(finding),
    )


def combined(outcomes: Sequence[Outcome]) -> Outcome:
    """Return one outcome for all sizes: the worst, with all points beside it, and from which size on none helps."""
    left: tuple[Leftover, ...] = left_running.latest(outcome.leftovers for outcome in outcomes)
    whole = replace(combine(outcomes), leftovers=left)
    if whole.verdict != "not_met" or whole.finding is None or not (said := curves.knee(whole.curve)):
        return whole
    finding = replace(whole.finding, cause=f"{said[:1].lower()}{said[1:]} {sentence(whole.finding.cause)}")
    return replace(whole, finding=finding, reason=words(finding, curves.curve(whole.curve)))


def _finding(outcome: Outcome, finding: Finding, size: int, first: int) -> Finding:
    estimate, threshold = outcome.estimate, outcome.threshold or 0.0
    fast = "not known to be faster than"
    if estimate is not None:
        interval = within(estimate.low, estimate.high, estimate.unit)
        fast = f"{formatter(estimate.unit)(estimate.value)} as fast (interval {interval}) as"
    efficiency = share(threshold * first / size)
    sides = (workers_of(first), workers_of(size))
    return replace(
        finding,
        kind="pool-scaling",
        headline=f"{workers_of(size)} was {fast} {workers_of(first)}; "
        f"required: at least {number(round(threshold, 2))}x (efficiency {efficiency}).",
        cause=_cause(outcome.bound, first),
        try_next=_TRY,
        evidence=tuple(replace(spent, side=side) for spent, side in zip(finding.evidence, sides, strict=False)),
    )


def _cause(bound: Bound | None, first: int) -> str:
    if bound is None:
        return ""
    what = (
        f"computes {share(bound.cpu_share)} of its time"
        if bound.kind == "cpu"
        else f"waits {share(bound.wait_share)} of its time"
    )
    return f"with {count(first, 'worker')} the work {what}."
