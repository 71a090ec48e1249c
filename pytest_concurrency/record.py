"""Records as plain JSON types: what rides on test reports and is written to files. Schema version 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pytest_concurrency.model import Outcome

SCHEMA = 1


def record_of(nodeid: str, outcomes: Sequence[Outcome], quiet_host: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return one test's record; all times in seconds, all values plain JSON types."""
    last = outcomes[-1]
    return {
        "nodeid": nodeid,
        "expectations": [_expectation(outcome) for outcome in outcomes],
        "bound": asdict(last.bound) if last.bound else None,
        "arms": [_plain(asdict(arm)) for outcome in outcomes for arm in outcome.arms],
        "interference": asdict(last.interference),
        "quiet_host": dict(quiet_host) if quiet_host else None,
    }


def _expectation(outcome: Outcome) -> dict[str, Any]:
    return {
        "marker": outcome.marker,
        "arguments": {name: _plain(value) for name, value in outcome.arguments.items()},
        "claim": outcome.claim,
        "comparison": outcome.comparison,
        "verdict": outcome.verdict,
        "reason": outcome.reason,
        "estimate": asdict(outcome.estimate) if outcome.estimate else None,
        "threshold": outcome.threshold,
        "workers": outcome.workers,
        "rounds": outcome.rounds,
        "seconds": round(outcome.seconds, 6),
        "bound": outcome.bound.kind if outcome.bound else None,
        "advice": outcome.advice,
        "hint": outcome.hint,
        "curve": [asdict(point) for point in outcome.curve] if len(outcome.curve) > 1 else [],
    }


def run_of(environment: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the content of a report file."""
    return {"schema": SCHEMA, "environment": dict(environment), "records": [dict(record) for record in records]}


def _plain(value: object) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return repr(value)
