"""Results as JSON lines, added as they come, and what they say: wrong and undecided with exact bounds."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

RIGHT_TOO = ("undecided", "unmeasurable")
Line = dict[str, Any]


def read(path: Path) -> list[Line]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def add(path: Path, lines: Iterable[Line]) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    with path.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def contradicts(line: Line) -> bool:
    """Whether a verdict, or an error in its place, is not what the label says."""
    return line["verdict"] not in (line["label"], *RIGHT_TOO)


def wrong(line: Line) -> bool:
    """The same outside of the known gaps."""
    return contradicts(line) and not line.get("gap")


def bounds(count: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """Two-sided exact (Clopper-Pearson) interval of a rate, found by bisection."""
    if of == 0:
        return 0.0, 1.0
    half = (1 - confidence) / 2
    low = 0.0 if count == 0 else _where(lambda rate: 1 - _at_most(count - 1, of, rate) >= half)
    high = 1.0 if count == of else _where(lambda rate: _at_most(count, of, rate) <= half)
    return low, high


def _where(holds: Any) -> float:
    """The smallest rate from which on something holds."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _at_most(count: int, of: int, rate: float) -> float:
    """The binomial probability of so many or fewer."""
    if not 0 < rate < 1:
        return float(rate <= 0)
    logs = (
        math.lgamma(of + 1)
        - math.lgamma(k + 1)
        - math.lgamma(of - k + 1)
        + k * math.log(rate)
        + (of - k) * math.log1p(-rate)
        for k in range(count + 1)
    )
    return min(1.0, sum(math.exp(log) for log in logs))


def table(lines: list[Line], by: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Rows by some of the lines' keys, those with the most wrong verdicts first, and one for all."""
    groups: dict[tuple[str, ...], list[Line]] = {}
    for line in lines:
        groups.setdefault(tuple(str(line[key]) for key in by), []).append(line)
    ordered = sorted(groups.items(), key=lambda group: (-sum(map(wrong, group[1])), group[0]))
    heads = (
        *by,
        "verdicts",
        "wrong",
        "95 %",
        "in known gaps",
        "not met, verdicts",
        "of these undecided",
        "95 %",
        "met, undecided",
        "median s",
    )
    rows = [heads, *(_row(key, found) for key, found in ordered)]
    if len(groups) > 1:
        rows.append(_row(("all", *[""] * (len(by) - 1)), lines))
    return rows


def _row(key: tuple[str, ...], lines: list[Line]) -> tuple[str, ...]:
    number = sum(map(wrong, lines))
    low, high = bounds(number, len(lines))
    sides = {label: [line for line in lines if line["label"] == label] for label in ("met", "not_met")}
    open_ = {label: sum(line["verdict"] == "undecided" for line in side) for label, side in sides.items()}
    below, above = bounds(open_["not_met"], len(sides["not_met"]))
    seconds = sorted(line["seconds"] for line in lines)
    return (
        *key,
        str(len(lines)),
        str(number),
        f"{percent(low)} to {percent(high)}",
        str(sum(map(contradicts, lines)) - number),
        str(len(sides["not_met"])),
        str(open_["not_met"]),
        f"{percent(below)} to {percent(above)}",
        f"{open_['met']} of {len(sides['met'])}",
        f"{seconds[len(seconds) // 2]:.2f}",
    )


def percent(rate: float) -> str:
    return f"{rate * 100:.3g} %"


def show(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
