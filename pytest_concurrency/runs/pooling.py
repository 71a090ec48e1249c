"""One comparison from several alternating sessions of two revisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_concurrency.runs import run_comparison
from pytest_concurrency.runs.allowed_loss import AllowedLoss
from pytest_concurrency.runs.run_comparison import Change, Comparison, Key

Run = Mapping[str, Any]


def pooled(runs: Sequence[Run]) -> dict[str, Any]:
    """Return one run with the rounds of all; a verdict that not all share is undecided."""
    records: dict[str, dict[str, Any]] = {}
    for run in runs:
        for record in run["records"]:
            known = records.get(record["nodeid"])
            records[record["nodeid"]] = _joined(known, record) if known else {**record}
    return {**runs[0], "records": list(records.values())}


def _joined(known: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    before, more = run_comparison.expectations_of(known), run_comparison.expectations_of(record)
    for key, expectation in more.items():
        old = before.get(key)
        before[key] = _both(old, expectation) if old else expectation
    return {**known, "expectations": list(before.values())}


def _both(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    series = run_comparison.series_of(one)
    for workers, rounds in run_comparison.series_of(other).items():
        series[workers] = series.get(workers, []) + rounds
    return {
        **one,
        "verdict": one["verdict"] if one["verdict"] == other["verdict"] else "undecided",
        "rounds": one["rounds"] + other["rounds"],
        "series": [{"workers": workers, "bounds": rounds} for workers, rounds in series.items()],
    }


def compare_sessions(base: Sequence[Run], head: Sequence[Run], limits: Sequence[AllowedLoss]) -> Comparison:
    """Return the changes that all rounds together show, and each pair of sessions of the two revisions too.

    Rounds of one session may share a bad moment of the machine, which their number does not show; a
    change that the revision makes shows in every session of it.
    """
    return confirmed(run_comparison.compare(pooled(base), pooled(head), limits), base, head, limits)


def confirmed(found: Comparison, base: Sequence[Run], head: Sequence[Run], limits: Sequence[AllowedLoss]) -> Comparison:
    """Return a comparison of pooled runs, in which a change is certain only if each pair of sessions shows it."""
    return replace(found, changes=tuple(_heed(change, base, head, limits) for change in found.changes))


def _heed(change: Change, base: Sequence[Run], head: Sequence[Run], limits: Sequence[AllowedLoss]) -> Change:
    if change.kind not in ("regression", "improvement"):
        return change
    sign = -1 if change.kind == "regression" else 1
    before, after = (_middles(change, runs) for runs in (base, head))
    all_agree = all(sign * (new - old) > 0 and _beyond(limits, change, old, new) for old in before for new in after)
    if all_agree:
        return change
    return replace(change, kind="unsure", reason="the sessions do not agree")


def _beyond(limits: Sequence[AllowedLoss], change: Change, old: float, new: float) -> bool:
    workers = change.workers
    applying = [limit for limit in limits if limit.applies(workers)]
    if change.kind == "regression":
        return any(new < limit.floor(old, workers) for limit in applying)
    return any(new > limit.ceiling(old, workers) for limit in applying)


def _middles(change: Change, runs: Sequence[Run]) -> list[float]:
    """Return the median of each session that measured the same."""
    return [
        run_comparison.middle(rounds)
        for expectation in in_sessions(runs, change.nodeid, change.key)
        if (rounds := run_comparison.series_of(expectation).get(change.workers))
    ]


def in_sessions(runs: Sequence[Run], nodeid: str, key: Key) -> Iterator[Mapping[str, Any]]:
    """Yield one expectation of one test, session by session."""
    for run in runs:
        for record in run["records"]:
            if record["nodeid"] == nodeid and (found := run_comparison.expectations_of(record).get(key)):
                yield found
