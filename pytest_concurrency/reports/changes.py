"""What has changed since a baseline: for the terminal's summary and for the console commands."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pytest_concurrency.core.units import count, ratio, share
from pytest_concurrency.reports.rows import label_of
from pytest_concurrency.reports.text_table import shorten
from pytest_concurrency.runs.run_comparison import Change, Comparison, ImpreciseBaseline, Kind

_WORDS: dict[Kind, tuple[str, str]] = {
    "regression": ("SLOWER", "red"),
    "verdict": ("VERDICT", "yellow"),
    "improvement": ("FASTER", "green"),
    "unsure": ("UNSURE", "yellow"),
    "new": ("NEW", ""),
    "gone": ("GONE", ""),
}
_MOST = 10  # of one kind, but for what is slower


class Line(NamedTuple):
    """One line of text; ``color`` may be empty."""

    text: str
    color: str = ""


def lines_of(comparison: Comparison, width: int = 80, brief: bool = False) -> list[Line]:
    """Return the changes, the worst first, and a tally; ``brief`` leaves out all but the regressions."""
    lines: list[Line] = []
    for kind, (word, color) in _WORDS.items():
        changes = comparison.of(kind)
        if brief and kind != "regression":
            changes = [change for change in changes if change.is_regression]
        shown = changes if kind == "regression" else changes[:_MOST]
        for change in shown:
            tint = "red" if change.is_regression else color
            lines.append(Line(f"{word:7} {shorten(change.nodeid, width - 8)}", tint))
            lines.extend(_below(_said(change), width))
        if len(shown) < len(changes):
            lines.append(Line(f"{word:7} and {len(changes) - len(shown)} more", color))
    lines.append(Line(tally(comparison)))
    return lines


def imprecise_lines(figures: Sequence[ImpreciseBaseline], width: int = 80) -> list[Line]:
    """Return what a saved run is too uncertain of, and what to do about that."""
    lines: list[Line] = []
    for figure in figures[:_MOST]:
        lines.append(Line(f"BLUNT   {shorten(figure.nodeid, width - 8)}", "yellow"))
        certain = f"only a loss of {share(figure.loss)}" if figure.loss < 1 else "no loss"
        text = f"{figure.expectation}: {figure.reason}, so that later {certain} would be certain"
        lines.extend(_below(text, width))
    if len(figures) > _MOST:
        lines.append(Line(f"BLUNT   and {len(figures) - _MOST} more", "yellow"))
    if figures:
        advice = (
            "What is blunt was measured while the machine was busy, or in too little time: to hold later runs "
            "against it, save it again when the machine does less, or raise max_time."
        )
        lines.extend(wrapped([Line(advice)], width))
    return lines


def wrapped(lines: Sequence[Line], width: int) -> list[Line]:
    """Return lines that fit, but for paths and options, which can be copied only as a whole."""
    return [
        Line(part, line.color)
        for line in lines
        for part in textwrap.wrap(line.text, max(20, width), break_long_words=False, break_on_hyphens=False)
    ]


def comparison_of(comparison: Comparison, name: str, baseline: Mapping[str, Any]) -> dict[str, Any]:
    """Return what report files say of a comparison, as plain JSON types: what is as before is only counted."""
    return {
        "baseline": name,
        "baseline_created": str(baseline.get("created", "")),
        "tally": tally(comparison),
        "changes": [
            {
                "nodeid": change.nodeid,
                "kind": change.kind,
                "is_regression": change.is_regression,
                "text": _said(change),
            }
            for kind in _WORDS
            for change in comparison.of(kind)
        ],
    }


def tally(comparison: Comparison) -> str:
    """``12 compared: 10 as before, 1 slower, 1 inside the noise; 2 new``."""
    names: dict[Kind, str] = {
        "same": "as before",
        "regression": "slower",
        "improvement": "faster",
        "verdict": "with another verdict",
        "noise": "inside the noise",
        "unsure": "unsure",
    }
    amounts = {kind: len(comparison.of(kind)) for kind in (*names, "new", "gone")}
    compared = sum(amounts[kind] for kind in names)
    parts = ", ".join(f"{amounts[kind]} {name}" for kind, name in names.items() if amounts[kind])
    text = f"{compared} compared: {parts}" if compared else "nothing to compare"
    others = [f"{amounts[kind]} {kind}" for kind in ("new", "gone") if amounts[kind]]
    return "; ".join([text, *others])


def _below(text: str, width: int) -> list[Line]:
    """Return what belongs to the name above it."""
    return [Line(f"        {line}") for line in textwrap.wrap(text, max(20, width - 8), subsequent_indent="  ")]


def _said(change: Change) -> str:
    text = change.expectation
    if change.kind in ("new", "gone"):
        figure = change.after if change.kind == "new" else change.before
        return f"{text}: {ratio(figure)}" if figure is not None else text
    parts = []
    if change.before is not None and change.after is not None:
        at = f" at {count(change.workers, 'worker')}" if change.workers and not _says(text, change.workers) else ""
        parts.append(f"{ratio(change.before)} -> {ratio(change.after)}{at} ({percent(change.before, change.after)})")
    if change.verdicts[0] != change.verdicts[1]:
        parts.append(f"{label_of(change.verdicts[0])} -> {label_of(change.verdicts[1])}")
    if change.reason:
        parts.append(change.reason)
    return f"{text}: {', '.join(parts)}"


def _says(expectation: str, workers: int) -> bool:
    return f", {workers} " in expectation


def percent(before: float, after: float) -> str:
    """``-74 %``."""
    return f"{(after / before - 1) * 100:+.0f} %" if before > 0 else "?"
