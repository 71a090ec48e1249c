"""A timeline as SVG for the page, coloured by its style sheet.

Written without a library: a watched function may have thousands of calls, and each is one shape.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from pytest_concurrency.core.units import duration
from pytest_concurrency.reports.page.timeline import Bar, Timeline

_WIDTH = 960.0
_NAMES = 200.0  # for the rows' names
_RIGHT = 30.0
_STRIP = 44.0  # height of the strip that shows how many are inside
_TOP = 26.0  # for the peak's label
_ROW = 16.0
_MOST_HEIGHT = 560.0  # of all rows: with very many, each is thinner than a pixel, but their shape is visible
_TITLES = 400  # calls up to which each has a title of its own, shown under the mouse pointer
_LEAST = 1.0  # width of a call that is too short to be seen
_NAME_LENGTH = 32
_SHOWN = {"done": "var(--accent)", "raised": "var(--not-met)", "running": "var(--delay)"}


def draw(timeline: Timeline) -> str:
    """Return the SVG element: how many were inside, the rows, the time axis, and a mark at the peak."""
    row = min(_ROW, _MOST_HEIGHT / len(timeline.lanes))
    label = f"Timeline of the calls of {timeline.name}: {timeline.summary}"
    strip_end = _TOP + _STRIP
    rows_top = strip_end + 10
    bottom = rows_top + row * len(timeline.lanes)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH:g} {bottom + 30:.1f}" role="img" aria-label="{html.escape(label)}" '
        'class="chart timeline">',
        *_axis(timeline.length, rows_top, bottom),
        *_strip(timeline, strip_end),
        *_rows(timeline, rows_top, row),
        *_peak(timeline, bottom),
        "</svg>",
    ]
    return "".join(parts)


def _across(moment: float, length: float) -> float:
    return _NAMES + (_WIDTH - _NAMES - _RIGHT) * (moment / length if length > 0 else 0.0)


def _text(x: float, y: float, text: str, anchor: str, color: str = "var(--muted)", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" dominant-baseline="central"{weight} '
        f'style="fill:{color}">{html.escape(text)}</text>'
    )


def _axis(length: float, top: float, bottom: float) -> Iterator[str]:
    from pytest_concurrency.reports.page.charts import steps

    for moment in steps(length, most=6) if length > 0 else [0.0]:
        if moment <= length * 1.001:
            x = _across(min(moment, length), length)
            yield f'<path d="M{x:.1f} {top:.1f}V{bottom + 4:.1f}" style="stroke:var(--line);stroke-width:1"/>'
            yield _text(x, bottom + 16, duration(moment) if moment else "0", "middle")


def _strip(timeline: Timeline, bottom: float) -> Iterator[str]:
    """Draw how many were inside, as a filled curve. Of moments at the same x, the one with the most is drawn."""
    most = max(timeline.peak, *(amount for _, amount in timeline.inside), 1)
    points: list[tuple[float, int]] = []
    for moment, amount in timeline.inside:
        x = round(_across(moment, timeline.length), 1)
        if points and points[-1][0] == x:
            points[-1] = x, max(points[-1][1], amount)
        else:
            points.append((x, amount))
    path, before = f"M{_NAMES:g} {bottom:g}", 0
    for x, amount in points:
        if amount != before:
            path += f"H{x:g}V{bottom - _STRIP * amount / most:.1f}"
            before = amount
    yield (
        f'<path d="{path}H{_across(timeline.length, timeline.length):.1f}V{bottom:g}Z" '
        'style="fill:var(--waiting);stroke:none"/>'
    )
    yield _text(_NAMES - 8, bottom - _STRIP / 2, "calls at one moment", "end")


def _rows(timeline: Timeline, top: float, row: float) -> Iterator[str]:
    titled = sum(len(lane.bars) for lane in timeline.lanes) <= _TITLES
    paths: dict[str, list[str]] = {}
    for number, lane in enumerate(timeline.lanes):
        y = top + number * row
        if lane.name and row >= 10:
            name = lane.name if len(lane.name) <= _NAME_LENGTH else f"…{lane.name[-_NAME_LENGTH + 1 :]}"
            yield _text(_NAMES - 8, y + row / 2, name, "end", "var(--ink)")
        for state, bars in _by_state(lane.bars).items():
            if titled:
                yield from (_titled(bar, timeline.length, y, row) for bar in bars)
            else:
                paths.setdefault(state, []).append(_path(bars, timeline.length, y, row))
    if timeline.shared:
        yield _text(_NAMES - 8, top + min(row * len(timeline.lanes) / 2, 60.0), f"{len(timeline.lanes)} rows", "end")
    for state, drawn in paths.items():
        yield f'<path d="{"".join(drawn)}" style="fill:{_SHOWN[state]};stroke:none"/>'


def _by_state(bars: Sequence[Bar]) -> dict[str, list[Bar]]:
    found: dict[str, list[Bar]] = {}
    for bar in bars:
        found.setdefault(bar.state, []).append(bar)
    return found


def _place(bar: Bar, length: float, y: float, row: float) -> tuple[float, float, float, float]:
    """Return left, top, width, height; a call inside another call of the same worker is lower."""
    left, right = _across(bar.start, length), _across(bar.end, length)
    gap = row * min(0.12 + 0.12 * bar.depth, 0.4)
    return left, y + gap, max(_LEAST, right - left), row - 2 * gap


def _titled(bar: Bar, length: float, y: float, row: float) -> str:
    left, top, width, height = _place(bar, length, y, row)
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" rx="1.5" '
        f'style="fill:{_SHOWN[bar.state]};stroke:var(--paper);stroke-width:.6"><title>{html.escape(bar.title)}</title>'
        "</rect>"
    )


def _path(bars: Sequence[Bar], length: float, y: float, row: float) -> str:
    """Return all calls of a row as one path. Calls without a visible gap between them become one piece of it."""
    pieces: list[tuple[float, float, float, float]] = []
    for bar in bars:
        left, top, width, height = _place(bar, length, y, row)
        if pieces and pieces[-1][1] == top and left <= pieces[-1][0] + pieces[-1][2] + 0.2:
            first, _, before, _ = pieces[-1]
            pieces[-1] = first, top, max(before, left + width - first), height
        else:
            pieces.append((left, top, width, height))
    return "".join(f"M{x:.1f} {top:.2f}h{width:.1f}v{height:.2f}h-{width:.1f}z" for x, top, width, height in pieces)


def _peak(timeline: Timeline, bottom: float) -> Iterator[str]:
    if timeline.peak_at is None or timeline.peak_at > timeline.length:
        return
    x = _across(timeline.peak_at, timeline.length)
    yield (
        f'<path d="M{x:.1f} {_TOP - 6:g}V{bottom:.1f}" '
        'style="stroke:var(--ink);stroke-width:1.2;stroke-dasharray:4 3;fill:none"/>'
    )
    anchor = "start" if x < _WIDTH / 2 else "end"
    yield _text(x + (6 if anchor == "start" else -6), _TOP - 12, f"peak: {timeline.peak}", anchor, "var(--ink)", True)
