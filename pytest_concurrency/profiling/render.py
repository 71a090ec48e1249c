"""A profile as text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from pytest_concurrency.core.units import count, duration, share
from pytest_concurrency.profiling.model import Cost, Flame, Profile, Stand, Standing

_WIDTH = 78
_TOOLS = {"cprofile": "cProfile", "line": "line_profiler"}
_MODES = {"wall": "all the time", "cpu": "on a CPU", "gil": "with the GIL"}


def show(profile: Profile) -> str:
    """Return the section below a failure."""
    parts = []
    if profile.costs:
        parts.append(_costs(profile))
    if profile.standing is not None:
        parts.append(_standing(profile.standing))
    if profile.flame is not None:
        parts.append(_flame(profile.flame, profile.tool))
    parts.extend(textwrap.fill(note, _WIDTH, break_long_words=False) for note in profile.notes)
    return "\n\n".join(parts)


def _costs(profile: Profile) -> str:
    tool = _TOOLS.get(profile.tool, profile.tool)
    calls = count(profile.calls, "call")
    if profile.tool == "line":
        heads = ("time", "waiting", "hits", "line")
        said = f"Lines of {profile.label}, per call ({tool}, {calls} in one thread; a line's time includes its calls):"
    else:
        computing, waiting = (
            sum(cost.computing for cost in profile.costs),
            sum(cost.waiting or 0 for cost in profile.costs),
        )
        heads = ("computing", "waiting", "calls", "where")
        said = (
            f"Each call of {profile.label}: {duration(computing)} computing and {duration(waiting)} waiting "
            f"({tool}, {calls} in one thread; the profiler slows it down):"
        )
    rows = [_row(cost, profile.tool == "line") for cost in profile.costs]
    return "\n".join([textwrap.fill(said, _WIDTH), *_table(heads, rows)])


def _row(cost: Cost, is_line: bool) -> tuple[str, str, str, str]:
    calls = f"{cost.calls:.0f}" if cost.calls == round(cost.calls) or cost.calls >= 10 else f"{cost.calls:.1f}"
    if not is_line:
        return duration(cost.computing), duration(cost.waiting or 0.0), calls, cost.where
    waiting = "-" if cost.waiting is None else duration(cost.waiting)
    return duration(cost.total), waiting, calls, f"{cost.where}: {cost.source}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(3)]
    room = _WIDTH - sum(widths) - 8
    lines = []
    for row in (heads, *rows):
        cells = "  ".join(cell.rjust(width) for cell, width in zip(row[:3], widths, strict=True))
        lines.append(f"  {cells}  {_cut(row[3], room)}".rstrip())
    return lines


def _standing(standing: Standing) -> str:
    if not standing.looks:
        return f"{standing.workers} in an extra round were never seen blocked."
    cause = " (mostly for the GIL, which another thread held)" if standing.for_the_gil else ""
    said = f"Where {standing.workers} were blocked, in an extra round{cause}; {count(standing.looks, 'sample')}:"
    return "\n".join([textwrap.fill(said, _WIDTH), *_stands(standing.stands)])


def _flame(flame: Flame, tool: str) -> str:
    if not flame.samples:
        return f"No sample of {flame.workers} in an extra round was in the body ({tool}, {_MODES[flame.mode]})."
    samples = count(flame.samples, "sample")
    said = f"Time of {flame.workers} in an extra round ({tool}, {_MODES[flame.mode]}; {samples}):"
    return "\n".join([textwrap.fill(said, _WIDTH), *_stands(flame.stands)])


def _stands(stands: Sequence[Stand]) -> list[str]:
    lines = []
    for stand in stands:
        lines.append(_cut(f"  {share(stand.share).rjust(6)}  {stand.where}: {stand.source}", _WIDTH))
        if stand.inside:
            lines.append(_cut(f"          in {stand.inside}", _WIDTH))
    return lines


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 2] + ".."
