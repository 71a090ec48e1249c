"""``benchmark-action:PATH``: the format of github-action-benchmark's ``tool: customBiggerIsBetter``.

Figures for which smaller is better (a GIL hold, an event-loop block, a speedup with ``at_most``) are left out,
because the tool would report an improvement as a regression.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_concurrency.core.units import count, within
from pytest_concurrency.reports.figures import ChartedFigure, figures_of
from pytest_concurrency.reports.rows import label_of

FOR_PEOPLE = False


def unavailable() -> str | None:
    return None


def render(run: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield json.dumps([_entry(figure) for figure in figures_of(run) if figure.more_is_better], indent=1) + "\n"


def _entry(figure: ChartedFigure) -> dict[str, Any]:
    percent = figure.unit == "share"
    return {
        "name": figure.name,
        "unit": "%" if percent else "x",
        "value": round(figure.value * 100, 6) if percent else figure.value,
        "range": within(figure.low, figure.high, figure.unit),
        "extra": _extra(figure),
    }


def _extra(figure: ChartedFigure) -> str:
    """Return the lines of the chart's tooltip."""
    row = figure.row
    lines = [
        f"{label_of(row.verdict)}, required {figure.required}" if figure.required != "-" else label_of(row.verdict),
        f"bound type: {row.bound}" if row.bound else "",
        f"{count(row.expectation['rounds'], 'round')}",
        f"Cause: {row.cause}" if row.cause else "",
        f"Try: {row.try_next}" if row.try_next else "",
    ]
    return "\n".join(line for line in lines if line)
