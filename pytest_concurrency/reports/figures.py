"""A run's figures, one by one, for tools that draw charts of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pytest_concurrency.core.units import number
from pytest_concurrency.expectations import EFFICIENCY
from pytest_concurrency.reports.rows import Row, rows_of


class ChartedFigure(NamedTuple):
    """One number with its interval. ``name`` is unique in a run, and the same in each run of the same tests."""

    name: str
    measure: str
    value: float
    low: float
    high: float
    unit: str
    more_is_better: bool
    row: Row
    required: str  # as text, such as ">= 2.8x"; "-" without a threshold


def figures_of(run: Mapping[str, Any]) -> Iterator[ChartedFigure]:
    """Return the figure of each verdict that has one, and of each point of a scaling curve."""
    seen: Counter[str] = Counter()
    for row in rows_of(run["records"]):
        parts = [
            (f"{point['workers']} {row.backend}".rstrip(), point["speedup"], _required_at(row, point["workers"]))
            for point in row.curve
        ]
        estimate = row.expectation["estimate"]
        if not parts and estimate is not None:
            parts = [(row.workers, estimate, row.required)]
        for workers, value, required in parts:
            name = f"{row.nodeid} ({', '.join(filter(None, [row.expects, workers]))})"
            seen[name] += 1
            yield ChartedFigure(
                name=name if seen[name] == 1 else f"{name} #{seen[name]}",
                measure=_measure(row),
                value=value["value"],
                low=value["low"],
                high=value["high"],
                unit=value["unit"],
                more_is_better=row.comparison == ">=",
                row=row,
                required=required,
            )


def _required_at(row: Row, workers: int) -> str:
    """Return what a point of a scaling curve must reach; ``-`` if the record has no such threshold."""
    efficiency = row.expectation["arguments"].get("efficiency", EFFICIENCY)
    required = row.required != "-" and row.comparison == ">=" and isinstance(efficiency, (int, float))
    return f">= {number(efficiency * workers)}x" if required else "-"


def _measure(row: Row) -> str:
    """What the figure is, as a name for a column of charts: ``speedup``, ``waiting``, ``longest-hold``."""
    claim = "speedup" if row.unit == "ratio" else row.claim or row.expects
    return claim.lower().replace(" ", "-")
