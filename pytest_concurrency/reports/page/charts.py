"""Charts as SVG for the page: drawn by matplotlib, coloured by the page's style sheet.

A page may have hundreds of charts. Axes with ticks take matplotlib some 40 ms a chart, and half of the remaining time
goes into measuring texts. So lines are drawn directly on the figure, and texts are added to its SVG.
"""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

# Colors that matplotlib draws with, and the names from the page's style sheet that replace them.
_INK, _MUTED, _LINE, _ACCENT, _WARN, _DELAY = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606"
_NAMES = {
    _INK: "currentColor",
    _MUTED: "var(--muted)",
    _LINE: "var(--line)",
    _ACCENT: "var(--accent)",
    _WARN: "var(--not-met)",
    _DELAY: "var(--delay)",
}
_SETTINGS: Any = {"svg.hashsalt": "pytest-concurrency-perf", "path.simplify": False}
_ID = re.compile(r' id="([^"]*)"')
_REFERENCE = re.compile(r'(xlink:href="#|url\(#)([^")]+)')


class _Drawing:
    """A figure with a plot area, in which positions are given in data coordinates."""

    def __init__(self, width: float, height: float, x: tuple[float, float], y: tuple[float, float]) -> None:
        self._width, self._height = width, height
        self._texts: list[str] = []
        self._figure = Figure(figsize=(width / 72, height / 72))
        FigureCanvasSVG(self._figure)
        self._x, self._y = x, y
        self._left, self._right = 42 / width, 1 - 62 / width
        self._bottom, self._top = 34 / height, 1 - 14 / height

    def place(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self._x[0]) / (self._x[1] - self._x[0])
        up = (y - self._y[0]) / (self._y[1] - self._y[0])
        return self._left + across * (self._right - self._left), self._bottom + up * (self._top - self._bottom)

    def line(self, points: Sequence[tuple[float, float]], color: str, **style: Any) -> None:
        xs, ys = zip(*(self.place(*point) for point in points), strict=True)
        self._figure.add_artist(Line2D(xs, ys, color=color, **style))

    def bars(self, intervals: Sequence[tuple[float, float, float]], color: str, width: float) -> None:
        """Draw vertical lines from low to high."""
        self._segments([[self.place(x, low), self.place(x, high)] for x, low, high in intervals], color, width)

    def _segments(
        self, lines: Sequence[Sequence[tuple[float, float]]], color: str, width: float, zorder: int = 2
    ) -> None:
        self._figure.add_artist(
            LineCollection(lines, colors=color, linewidths=width, zorder=zorder, transform=self._figure.transFigure)
        )

    def columns(self, columns: Sequence[tuple[float, float, float]], width: float, color: str) -> None:
        """Draw filled columns from low to high."""
        corners = [
            [self.place(x + dx * width / 2, y) for dx, y in ((-1, low), (1, low), (1, high), (-1, high))]
            for x, low, high in columns
        ]
        self._figure.add_artist(
            PolyCollection(corners, facecolors=color, linewidths=0, transform=self._figure.transFigure)
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        color: str,
        *,
        dx: float = 0,
        dy: float = 0,
        anchor: str = "middle",
        bold: bool = False,
    ) -> None:
        """Add a text; ``dx`` and ``dy`` move it by points."""
        across, up = self.place(x, y)
        left, top = across * self._width + dx, (1 - up) * self._height - dy
        self._texts.append(
            f'<text x="{left:.1f}" y="{top:.1f}" text-anchor="{anchor}" font-weight="{"bold" if bold else "normal"}" '
            f'dominant-baseline="central" style="fill: {color}">{html.escape(text)}</text>'
        )

    def grid(self, values: Sequence[float], say: Callable[[float], str]) -> None:
        """Draw horizontal lines with their values at the left."""
        lines = [[self.place(self._x[0], value), self.place(self._x[1], value)] for value in values]
        self._segments(lines, _LINE, 1, zorder=0)
        for value in values:
            self.text(self._x[0], value, say(value), _MUTED, dx=-6, anchor="end")

    def svg(self, number: int, label: str) -> str:
        with matplotlib.rc_context(_SETTINGS):
            buffer = io.StringIO()
            self._figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        drawn = buffer.getvalue().replace("</svg>", f"{''.join(self._texts)}</svg>")
        return _inline(drawn, f"c{number}-", label)


def _inline(document: str, prefix: str, label: str) -> str:
    """Turn an SVG document into a part of an HTML page. The prefix keeps its ids apart from those of other charts."""
    body = document[document.index("<svg") :]
    head, _, body = body.partition(">")
    view = re.search(r'viewBox="[^"]*"', head)
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    wanted = {found[2] for found in _REFERENCE.finditer(body)}
    body = _ID.sub(lambda found: f' id="{prefix}{found[1]}"' if found[1] in wanted else "", body)
    body = _REFERENCE.sub(rf"\g<1>{prefix}\g<2>", body)
    body = re.sub(r">\s+<", "><", body)
    body = re.sub(r"\s*\n\s*", " ", body)
    for drawn, named in _NAMES.items():
        body = body.replace(drawn, named)
    return f'<svg {view[0] if view else ""} role="img" aria-label="{html.escape(label)}" class="chart">{body}'


def steps(top: float, most: int = 5) -> list[float]:
    """Return round values from 0 to just above ``top``."""
    if not (top > 0 and math.isfinite(top)):
        return [0.0, 1.0]
    raw = top / most
    scale = 10.0 ** math.floor(math.log10(raw))
    step = next(scale * nice for nice in (1, 2, 2.5, 5, 10) if scale * nice >= raw * 0.9999)
    return [step * place for place in range(math.ceil(top / step - 1e-9) + 1)]


def curve(points: Sequence[Mapping[str, Any]], efficiency: float | None, number: int, label: str) -> str:
    """Draw a scaling curve with its intervals, the ideal line and the required line."""
    most, base = max(point["workers"] for point in points), points[0].get("base", 1)
    ideal = most / base
    top = max(ideal, *(point["speedup"]["high"] for point in points))
    levels = steps(top)
    drawing = _Drawing(420, 250, (0.8, most + 0.05 * most), (0.0, levels[-1]))
    drawing.grid(levels, lambda value: f"{value:g}x")
    counts = sorted({base, *(point["workers"] for point in points)})
    for workers in counts:
        drawing.text(workers, 0, str(workers), _MUTED, dy=-11)
    drawing.text((0.8 + most) / 2, 0, "workers at the same time", _MUTED, dy=-26)
    drawing.line([(base, 1), (most, ideal)], _MUTED, linewidth=1.5, linestyle=(0, (5, 4)))
    drawing.text(most, ideal, "ideal", _MUTED, dx=14, anchor="start")
    others = [point for point in points if point["workers"] > base]
    values = [(float(base), 1.0), *((point["workers"], point["speedup"]["value"]) for point in others)]
    drawing.line(values, _ACCENT, linewidth=2.5, marker="o", markersize=7)
    drawing.bars(
        [(point["workers"], point["speedup"]["low"], point["speedup"]["high"]) for point in points], _ACCENT, 1.5
    )
    last = values[-1][1]
    apart = 0.055 * levels[-1]
    if efficiency is not None:
        required = efficiency * ideal
        drawing.line([(base, efficiency), (most, required)], _WARN, linewidth=1.5, linestyle=(0, (1, 2.5)))
        drawing.text(most, required, "required", _WARN, dx=14, anchor="start")
        if abs(last - required) < apart * 1.6:
            last = required + math.copysign(apart * 1.6, last - required)
    if abs(last - ideal) < apart * 1.6:
        last = ideal - apart * 1.6
    drawing.text(most, last, f"{values[-1][1]:.2f}x", _INK, dx=14, anchor="start", bold=True)
    return drawing.svg(number, label)


def history(
    estimates: Sequence[Mapping[str, Any]],
    threshold: float | None,
    say: Callable[[float], str],
    number: int,
    label: str,
) -> str:
    """Draw one figure over the runs; the last point is this run's."""
    top = max(threshold or 0.0, *(estimate["high"] for estimate in estimates))
    levels = steps(top, most=3)
    drawing = _Drawing(420, 160, (0.5, len(estimates) + 0.5), (0.0, levels[-1]))
    drawing.grid(levels, say)
    if threshold is not None:
        drawing.line(
            [(0.5, threshold), (len(estimates) + 0.5, threshold)], _WARN, linewidth=1.5, linestyle=(0, (1, 2.5))
        )
        drawing.text(len(estimates) + 0.5, threshold, "required", _WARN, dx=6, anchor="start")
    places = range(1, len(estimates) + 1)
    drawing.line(
        [(place, estimate["value"]) for place, estimate in zip(places, estimates, strict=True)],
        _ACCENT,
        linewidth=2,
        marker="o",
        markersize=5,
    )
    drawing.bars(
        [(place, estimate["low"], estimate["high"]) for place, estimate in zip(places, estimates, strict=True)],
        _ACCENT,
        1.5,
    )
    drawing.line([(len(estimates), estimates[-1]["value"])], _INK, marker="o", markersize=7)
    drawing.text(1, 0, "oldest", _MUTED, dy=-12)
    drawing.text(len(estimates), 0, "this run", _MUTED, dy=-12)
    return drawing.svg(number, label)


def interference(values: Sequence[Mapping[str, Any]], usable: float, number: int, label: str) -> str:
    """Draw how many CPUs were used by other programs or withheld, test by test in the order in which they ran."""
    binned = _binned(values)
    top = max(usable, *(sum(one.values()) for one in binned))
    levels = steps(top, most=4)
    drawing = _Drawing(900, 190, (0.4, len(binned) + 0.6), (0.0, levels[-1]))
    drawing.grid(levels, lambda value: f"{value:g}")
    wide = 0.75
    base = [0.0] * len(binned)
    for name, color in (("foreign", _MUTED), ("steal", _DELAY), ("throttled", _WARN)):
        columns = [
            (place + 1.0, base[place], base[place] + one[name]) for place, one in enumerate(binned) if one[name] > 0
        ]
        if columns:
            drawing.columns(columns, wide, color)
        base = [low + one[name] for low, one in zip(base, binned, strict=True)]
    drawing.line([(0.4, usable), (len(binned) + 0.6, usable)], _INK, linewidth=1, linestyle=(0, (5, 4)))
    drawing.text(len(binned) + 0.6, usable, "all CPUs", _INK, dx=6, anchor="start")
    drawing.text(0.5, 0, "first test", _MUTED, dy=-12, anchor="start")
    drawing.text(len(binned) + 0.5, 0, "last test", _MUTED, dy=-12, anchor="end")
    return drawing.svg(number, label)


_COLUMNS = 150


def _binned(values: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """Return one entry for each column. If there are more tests than columns, it is the worst of a few tests."""
    plain = [{name: max(0.0, one.get(name) or 0.0) for name in ("foreign", "steal", "throttled")} for one in values]
    each = math.ceil(len(plain) / _COLUMNS)
    return [max(plain[first : first + each], key=lambda one: sum(one.values())) for first in range(0, len(plain), each)]
