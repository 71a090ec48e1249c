"""What a row of the data says, in words."""

from __future__ import annotations

from typing import Any

from pytest_concurrency.core.units import duration, figure, ratio

Row = dict[str, Any]

RESOLUTION = 0.001  # seconds of a hold that can be seen: the probe thread beats twice a millisecond
_CLOSE = 2.0  # ratio of the ends of an interval up to which the figure between them is shown; else the upper end is
GIL = {
    "held": "held",
    "released": "released",
    "briefly_released": "released briefly",
    "disabled": "no GIL",
    "unknown": "unclear",
}
_WAITS = "it waits"
_NOTHING = "–"


def measured(row: Row) -> bool:
    return bool(row["state"] == "measured")


def gil(row: Row) -> str:
    """Who has the GIL; of a call that waits for nearly all of its time, nothing has to be known."""
    bound = row["bound"]
    return _WAITS if bound["gil"] == "unknown" and bound["kind"] in ("io", "serialized") else GIL[bound["gil"]]


def one_call(row: Row) -> str:
    """The time of one call, without that in which other programs had the CPU."""
    return duration(row["alone"]["cpu"] + row["alone"]["blocked"])


def seconds(row: Row, name: str) -> str:
    """The longest ``hold``, or the longest ``wait`` of another thread."""
    found = row[name]
    if found is None:
        return _NOTHING
    if found["high"] <= _CLOSE * found["low"] and found["value"] >= RESOLUTION:
        return duration(found["value"])
    return f"< {duration(max(found['value'], found['high'], RESOLUTION))}"


def speedup(row: Row, backend: str) -> str:
    side = row["sides"].get(backend, {})
    found = side.get("speedup")
    if found is None:
        return str(side.get("error") or side.get("reason") or _NOTHING)
    return figure(found["value"], found["low"], found["high"], "ratio")


def problem(row: Row) -> str:
    return str(row["error"])


def in_a_line(row: Row) -> str:
    """For the terminal: the rest of a line of 80 columns."""
    if not measured(row):
        return problem(row)
    sides = []
    for backend in ("threads", "processes"):
        found = row["sides"].get(backend, {}).get("speedup")
        sides.append(f"{backend} {ratio(found['value']) if found else _NOTHING}")
    return f"{gil(row).removeprefix('released '):9} {'  '.join(sides)}"
