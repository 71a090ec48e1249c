"""The changes since a baseline, for the terminal's summary and for the console commands."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pytest_concurrency.core.text import in_lines, printable
from pytest_concurrency.core.units import count, ratio, share
from pytest_concurrency.reports.rows import label_of
from pytest_concurrency.reports.text_table import shorten
from pytest_concurrency.runs.run_comparison import Change, Comparison, ImpreciseBaseline, Kind

_WORDS: dict[Kind, tuple[str, str]] = {
    "regression": ("REGRESSED", "red"),
    "verdict": ("VERDICT", "yellow"),
    "improvement": ("IMPROVED", "green"),
    "unsure": ("UNDECIDED", "yellow"),
    "new": ("NEW", ""),
    "gone": ("REMOVED", ""),
}
_MOST = 10  # changes shown of one kind; all regressions are shown
_IMPRECISE = "IMPRECISE"
_WIDE = 9  # columns of the longest word


class Line(NamedTuple):
    """One line of text; ``color`` may be empty."""

    text: str
    color: str = ""


def lines_of(comparison: Comparison, width: int = 80, brief: bool = False) -> list[Line]:
    """Return the changes, the worst first, and a tally; ``brief`` leaves out all but the regressions."""
    lines: list[Line] = []
    for kind, (word, color) in _WORDS.items():
        changes = comparison.of(kind)
        if brief and kind not in ("regression", "unsure"):  # an undecided test may hide a loss
            changes = [change for change in changes if change.is_regression]
        shown = changes if kind == "regression" else changes[:_MOST]
        for change in shown:
            tint = "red" if change.is_regression else color
            lines.append(named(word, change.nodeid, tint, width))
            lines.extend(below(_said(change), width))
        if len(shown) < len(changes):
            lines.append(Line(f"{word:{_WIDE}} and {len(changes) - len(shown)} more", color))
    lines.append(Line(tally(comparison)))
    return lines


def imprecise_lines(figures: Sequence[ImpreciseBaseline], width: int = 80) -> list[Line]:
    """Return the results of a saved run that are too noisy for a baseline, and what to do about that."""
    lines: list[Line] = []
    for figure in figures[:_MOST]:
        lines.append(named(_IMPRECISE, figure.nodeid, "yellow", width))
        detects = f"only a loss of {share(figure.loss)} or more" if figure.loss < 1 else "no loss"
        lines.extend(below(f"{figure.expectation}: {figure.reason}, so that later {detects} can be detected", width))
    if len(figures) > _MOST:
        lines.append(Line(f"{_IMPRECISE} and {len(figures) - _MOST} more", "yellow"))
    if figures:
        advice = (
            "These results are too noisy to be a useful baseline. Save the run again on a quieter machine, or raise "
            "max_time."
        )
        lines.extend(wrapped([Line(advice)], width))
    return lines


def named(word: str, nodeid: str, color: str, width: int) -> Line:
    """Return the line with a test's id, after a word such as REGRESSED."""
    return Line(f"{word:{_WIDE}} {shorten(nodeid, width - max(_WIDE, len(word)) - 1)}", color)


def wrapped(lines: Sequence[Line], width: int) -> list[Line]:
    """Return lines that fit the width."""
    return [Line(part, line.color) for line in lines for part in in_lines(line.text, max(20, width))]


def comparison_of(comparison: Comparison, name: str, baseline: Mapping[str, Any]) -> dict[str, Any]:
    """Return a comparison for report files, as plain JSON types. Unchanged results are only counted."""
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
    """``12 compared: 10 unchanged, 1 regressed, 1 without a significant change; 2 new``."""
    names: dict[Kind, str] = {
        "same": "unchanged",
        "regression": "regressed",
        "improvement": "improved",
        "verdict": "with another verdict",
        "noise": "without a significant change",
        "unsure": "undecided",
    }
    amounts = Counter(change.kind for change in comparison.changes)
    compared = sum(amounts[kind] for kind in names)
    parts = ", ".join(f"{amounts[kind]} {name}" for kind, name in names.items() if amounts[kind])
    text = f"{compared} compared: {parts}" if compared else "nothing to compare"
    apart: dict[Kind, str] = {"new": "new", "gone": "removed"}
    others = [f"{amounts[kind]} {name}" for kind, name in apart.items() if amounts[kind]]
    return "; ".join([text, *others])


def below(text: str, width: int) -> list[Line]:
    """Return a text as indented lines, which are shown below a test's name."""
    indent = " " * (_WIDE + 1)
    wide = max(20, width - len(indent))
    return [Line(indent + line) for line in textwrap.wrap(printable(text), wide, subsequent_indent="  ")]


def _said(change: Change) -> str:
    text = change.expectation
    if change.kind in ("new", "gone"):
        figure = change.after if change.kind == "new" else change.before
        return f"{text}: {ratio(figure)}" if figure is not None else text
    parts = []
    if change.before is not None and change.after is not None:
        said_already = change.workers in (None, change.labelled_workers)
        at = "" if said_already else f" with {count(change.workers or 0, 'worker')}"
        parts.append(f"{ratio(change.before)} -> {ratio(change.after)}{at} ({percent(change.before, change.after)})")
    if change.verdicts[0] != change.verdicts[1]:
        parts.append(f"{label_of(change.verdicts[0])} -> {label_of(change.verdicts[1])}")
    if change.reason:
        parts.append(change.reason)
    return f"{text}: {', '.join(parts)}"


def percent(before: float, after: float) -> str:
    """``-74%``."""
    return f"{(after / before - 1) * 100:+.0f}%" if before > 0 else "?"
