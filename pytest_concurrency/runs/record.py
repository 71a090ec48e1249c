"""Records as plain JSON types, for test reports and files. Schema version 1."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pytest_concurrency.core.addresses import about
from pytest_concurrency.core.model import Interval
from pytest_concurrency.core.outcomes import Finding, Outcome, Series
from pytest_concurrency.core.units import spelled

SCHEMA = 1
OBSERVED = ("calls", "blocks")  # what a record has of a test's ordinary run


def record_of(
    nodeid: str,
    outcomes: Sequence[Outcome],
    traced_by: Sequence[str] = (),
    quiet_host: Mapping[str, Any] | None = None,
    first_attempt: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return one test's record; all times in seconds, all values plain JSON types.

    ``traced_by`` names what traced the test's code and so slowed it: coverage, a debugger. ``quiet_host``
    says whether the measurement had the host for itself, ``first_attempt`` how an earlier one ended undecided.
    """
    last = outcomes[-1]
    return {
        "nodeid": nodeid,
        "expectations": [_expectation(outcome) for outcome in outcomes],
        "bound": asdict(last.bound) if last.bound else None,
        "arms": [plain(asdict(arm)) for outcome in outcomes for arm in outcome.arms],
        "interference": {
            name: value
            for name, value in asdict(last.interference).items()
            if name in ("foreign", "steal", "throttled")
        },
        "traced_by": list(traced_by),
        "quiet_host": dict(quiet_host) if quiet_host else None,
        **({"first_attempt": dict(first_attempt)} if first_attempt else {}),
    }


def unmeasured(nodeid: str) -> dict[str, Any]:
    """Return the record of a test that measures nothing, for what is seen in its ordinary run."""
    nothing = {"foreign": None, "steal": None, "throttled": None}
    return {"nodeid": nodeid, "expectations": [], "bound": None, "arms": [], "interference": nothing}


def is_measured(record: Mapping[str, Any]) -> bool:
    """Whether a test measured something, and was not only observed in its ordinary run."""
    return bool(record["expectations"] or record.get("bound") or record.get("arms"))


def has_verdicts(run: Mapping[str, Any]) -> bool:
    """Whether any test of a run has an expectation."""
    return any(record["expectations"] for record in run["records"])


def _expectation(outcome: Outcome) -> dict[str, Any]:
    return {
        "marker": outcome.marker,
        "arguments": {name: plain(value) for name, value in outcome.arguments.items()},
        "subject": outcome.subject,
        "claim": outcome.claim,
        "comparison": outcome.comparison,
        "verdict": outcome.verdict,
        "reason": outcome.reason,
        "estimate": asdict(outcome.estimate) if outcome.estimate else None,
        "threshold": outcome.threshold,
        "unit": outcome.unit,
        "workers": outcome.workers,
        "backend": outcome.backend,
        "worker_count": outcome.worker_count,
        "rounds": outcome.rounds,
        "seconds": round(outcome.seconds, 6),
        "bound": outcome.bound.kind if outcome.bound else None,
        "advice": outcome.advice,
        "tool": outcome.tool,
        "hint": outcome.hint,
        "curve": [asdict(point) for point in outcome.curve] if len(outcome.curve) > 1 else [],
        "series": [_series(series) for series in outcome.series],
        "serial": _bounds(outcome.serial),
        "change": asdict(outcome.change) if outcome.change else None,
        "finding": _finding(outcome.finding) if outcome.finding else None,
        "rules": [{"name": name, "times": times} for name, times in outcome.rules.items()],
        "leftovers": [asdict(leftover) for leftover in outcome.leftovers],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    parts = {name: value for name, value in asdict(finding).items() if name != "evidence"}
    evidence = [{"side": spent.side, **asdict(spent.each)} for spent in finding.evidence]
    return {**parts, "evidence": evidence, "more": about(finding.kind)}


def _series(series: Series) -> dict[str, Any]:
    return {"workers": series.workers, "bounds": _bounds(series.bounds)}


def _bounds(bounds: Sequence[Interval]) -> list[list[float]]:
    """Five digits: more than any clock can tell of a ratio, and a file half as large."""
    return [[float(f"{bound.low:.5g}"), float(f"{bound.high:.5g}")] for bound in bounds]


def run_of(environment: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the content of a report file."""
    return {"schema": SCHEMA, "environment": dict(environment), "records": [dict(record) for record in records]}


def text_of(run: Mapping[str, Any]) -> Iterator[str]:
    """Return a run as one JSON document, in pieces: a line for each record, quick to write and to diff."""
    head = {name: value for name, value in run.items() if name not in ("records", "survey")}
    yield from text_of_lines(head, map(json.dumps, run["records"]), run.get("survey"))


def text_of_lines(
    head: Mapping[str, Any], records: Iterable[str], survey: Mapping[str, Any] | None = None
) -> Iterator[str]:
    """Return the same from records that are text already; a survey has a line for each of its tests too."""
    yield f"{_open(head)},\n"
    yield from _list("records", records)
    if survey is not None:
        rest = {name: value for name, value in survey.items() if name != "tests"}
        yield f',\n "survey": {_open(rest)},\n'
        yield from _list("tests", map(json.dumps, survey["tests"]))
        yield "\n }"
    yield "\n}\n"


def _open(value: Mapping[str, Any]) -> str:
    """Return an object as JSON, without its end."""
    text = json.dumps(value, indent=1)
    return text[: text.rindex("}")].rstrip()


def _list(name: str, items: Iterable[str]) -> Iterator[str]:
    """Return a list as JSON, in lines."""
    yield f' "{name}": ['
    for number, line in enumerate(items):
        yield (",\n  " if number else "\n  ") + line
    yield "\n ]"


def lines_of(run: Mapping[str, Any]) -> Iterator[str]:
    """Return a run as JSON lines, one by one: first all that is not a record."""
    yield json.dumps({name: value for name, value in run.items() if name != "records"}) + "\n"
    for value in run["records"]:
        yield json.dumps(value) + "\n"


def plain(value: object) -> Any:
    """Return a value as plain JSON types; what has none by its repr, and None for what is no finite number."""
    # Subclasses of str, int and float are converted, because xdist can send only the plain types.
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return spelled(value)
