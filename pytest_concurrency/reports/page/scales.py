"""A figure on a line: its interval, the threshold and the ideal, as percentages of the line's length."""

from __future__ import annotations

from typing import NamedTuple

from pytest_concurrency.core.units import formatter, number
from pytest_concurrency.reports.rows import Row

_LABEL = 16  # percentages of a scale's length that a label takes


class Scale(NamedTuple):
    """A figure on a line, as percentages of its length."""

    low: float
    width: float
    value: float
    threshold: float | None
    ideal: float | None
    met_above: bool
    label: str  # what a screen reader says
    threshold_text: str
    ideal_text: str  # empty where it would overlap the text of the threshold


def scale_of(row: Row) -> Scale | None:
    """Return the scale of a verdict's figure; None if the verdict has no figure to draw."""
    estimate, threshold = row.expectation["estimate"], row.expectation["threshold"]
    if estimate is None or row.marker == "bound":
        return None
    amount = row.worker_count or 0
    ideal = float(amount) if row.claim == "speedup" and amount > 1 else None
    longest: float = max(estimate["high"], estimate["value"], threshold or 0.0, ideal or 0.0) * 1.08
    if estimate["unit"] == "share":
        longest = 1.03
    if longest <= 0:
        return None

    def percent(value: float) -> float:
        return round(100 * max(0.0, min(1.0, value / longest)), 2)

    say = formatter(estimate["unit"])
    words = f"{row.bare_figure}, between {say(estimate['low'])} and {say(estimate['high'])}"
    if threshold is not None:
        words += f"; required: {row.required}"
    low, high = percent(estimate["low"]), percent(estimate["high"])
    apart = ideal is not None and (threshold is None or percent(ideal) - percent(threshold) > _LABEL)
    return Scale(
        low=low,
        width=max(0.6, round(high - low, 2)),
        value=percent(estimate["value"]),
        threshold=None if threshold is None else percent(threshold),
        ideal=None if ideal is None else percent(ideal),
        met_above=row.comparison == ">=" and row.gil != "released",
        label=words,
        threshold_text="" if row.requires_overlap else f"required {row.threshold}",
        ideal_text=f"ideal {number(ideal)}x" if ideal is not None and apart else "",
    )
