"""``csv:PATH``: a line for each verdict, for spreadsheets and data frames; figures are bare numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_concurrency.reports.rows import Row, rows_of

FOR_PEOPLE = False
_HEADS = (
    *("test", "expects", "verdict", "figure", "low", "high", "unit", "comparison", "threshold", "bound"),
    *("backend", "workers", "rounds", "seconds", "cpu_share", "wait_share", "gil", "found", "cause", "place", "try"),
)


def unavailable() -> str | None:
    return None


def render(run: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield _line(_HEADS)
    yield from (_line(_cells(row)) for row in rows_of(run["records"]))


def _cells(row: Row) -> Sequence[object]:
    estimate, bound = row.expectation["estimate"] or {}, row.record.get("bound") or {}
    return (
        *(row.nodeid, row.expects, row.verdict),
        *(estimate.get("value"), estimate.get("low"), estimate.get("high"), row.unit),
        *(row.comparison, row.expectation["threshold"], row.bound, row.backend, row.worker_count),
        *(row.expectation["rounds"], row.expectation["seconds"]),
        *(bound.get("cpu_share"), bound.get("wait_share"), bound.get("gil")),
        *(row.headline, row.cause, row.place, row.try_next),
    )


def _line(cells: Sequence[object]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerow(cells)
    return file.getvalue()
