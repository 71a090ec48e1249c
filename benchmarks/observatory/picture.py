"""A bar for each call: how many times as fast two threads are as one."""

from __future__ import annotations

import runpy
from collections.abc import Sequence
from pathlib import Path

from observatory import cells
from observatory.cells import Row
from pytest_concurrency.core.units import ratio

# The colours and shapes of the other diagrams of the documentation.
_MAKE = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "pictures" / "make.py"))
_text, _box, _line = _MAKE["text"], _MAKE["box"], _MAKE["line"]
COLOURS = {
    "released": _MAKE["GOOD"],
    "it waits": _MAKE["WAIT"],
    "released briefly": _MAKE["COMPUTE"],
    "held": _MAKE["BAD"],
    "unclear": _MAKE["GREY"],
    "no GIL": _MAKE["GOOD"],
}
_WIDTH, _LEFT, _PER_X, _STEP, _TOP = 700, 250, 170, 16, 70
_LONGEST = 2.3  # where an interval is cut off


def drawn(rows: Sequence[Row]) -> str:
    """Return the text of the SVG file, the largest speedup first."""
    shown = [row for row in rows if cells.measured(row) and row["sides"].get("threads", {}).get("speedup")]
    shown.sort(key=lambda row: (-row["sides"]["threads"]["speedup"]["value"], row["name"]))
    bottom = _TOP + _STEP * len(shown)
    elements = [_text(0, 16, "Speedup of two threads", weight="bold"), *_legend(shown)]
    for speedup in (0, 1, 2):
        x = _LEFT + _PER_X * speedup
        elements += [_line(x, _TOP - 6, x, bottom, dash="3 4"), _text(x, _TOP - 12, f"{speedup}x", 11, "middle")]
    for number, row in enumerate(shown):
        elements += _bar(row, _TOP + _STEP * number)
    title = f"Bars of the speedup of two threads for {len(shown)} calls, the largest first, by who has the GIL."
    return str(_MAKE["drawing"](title, _WIDTH, bottom + 8, *elements))


def _legend(shown: Sequence[Row]) -> list[str]:
    elements, x = [], 0
    present = {cells.gil(row) for row in shown}
    for words, colour in COLOURS.items():
        if words in present:
            elements += [_box(x, 28, 12, 12, colour), _text(x + 17, 38, words, 12)]
            x += 30 + 7 * len(words)
    return elements


def _bar(row: Row, y: float) -> list[str]:
    found = row["sides"]["threads"]["speedup"]
    value, low, high = (min(found[name], _LONGEST) for name in ("value", "low", "high"))
    middle = y + _STEP / 2
    return [
        _text(_LEFT - 8, middle + 4, row["name"], 11, "end"),
        _box(_LEFT, y + 2, _PER_X * value, _STEP - 4, COLOURS[cells.gil(row)], 0.85),
        _line(_LEFT + _PER_X * low, middle, _LEFT + _PER_X * high, middle),
        _text(_LEFT + _PER_X * max(value, high) + 6, middle + 4, ratio(found["value"]), 11),
    ]
