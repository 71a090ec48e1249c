"""An exploration as the page shows it: all tools side by side, the one to use, and the test to paste."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pytest_concurrency.core.units import formatter, interval, number, share
from pytest_concurrency.reports.page.scales import Scale
from pytest_concurrency.verdicts import advice


class Tool(NamedTuple):
    """One back-end with a number of workers. If it has no figure, ``reason`` says why."""

    name: str
    figure: str
    interval: str
    efficiency: str
    scale: Scale | None
    reason: str
    used: bool


class Explored(NamedTuple):
    """One explored function."""

    nodeid: str
    headline: str
    tools: tuple[Tool, ...]
    why: str
    remarks: tuple[str, ...]
    source: str  # of the test to paste; empty if no threshold is worth a test


def explored_of(run: Mapping[str, Any]) -> Explored | None:
    """Return a run's exploration; None if there is none, or if its form is unknown."""
    found = run.get("exploration")
    if not isinstance(found, Mapping):
        return None
    try:
        return _explored(found)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _explored(found: Mapping[str, Any]) -> Explored:
    target, sides = str(found["target"]), list(found["sides"])
    best = _best(sides, found["use"])
    longest = 1.08 * max(
        (max(side["speedup"]["high"], side["workers"]) for side in sides if side["speedup"]), default=1
    )
    headline = f"No tool made {target} faster here."
    if best is not None:
        figure = formatter(best["speedup"]["unit"])(best["speedup"]["value"])
        headline = f"{best['workers']} {best['backend']} make {target} {figure} as fast."
    source = ""
    if found["markers"]:
        source = advice.source_of_test(target, str(found["arguments"]), list(found["markers"]), bool(found["async"]))
    return Explored(
        nodeid=target,
        headline=headline,
        tools=tuple(_tool(side, side is best, longest) for side in sides),
        why=str(found["why"]),
        remarks=tuple(map(str, found["remarks"])),
        source=source,
    )


def _best(sides: Sequence[Mapping[str, Any]], use: str | None) -> Mapping[str, Any] | None:
    """Return the recommended tool, with as many workers as the fastest tool had."""
    measured = [side for side in sides if side["speedup"]]
    fastest = max(measured, key=lambda side: float(side["speedup"]["value"]), default=None)
    alike = (side for side in measured if fastest and side["backend"] == use and side["workers"] == fastest["workers"])
    return next(alike, None)


def _tool(side: Mapping[str, Any], used: bool, longest: float) -> Tool:
    name, workers, speedup = f"{side['workers']} {side['backend']}", side["workers"], side["speedup"]
    if not speedup:
        return Tool(name, "", "", "", None, str(side["reason"]), used)
    say = formatter(speedup["unit"])
    low, high = say(speedup["low"]), say(speedup["high"])

    def percent(value: float) -> float:
        return round(100 * max(0.0, min(1.0, value / longest)), 2)

    scale = Scale(
        low=percent(speedup["low"]),
        width=max(0.6, round(percent(speedup["high"]) - percent(speedup["low"]), 2)),
        value=percent(speedup["value"]),
        threshold=None,
        ideal=percent(workers),
        met_above=True,
        label=f"{say(speedup['value'])}, between {low} and {high}; ideal: {number(workers)}x",
        threshold_text="",
        ideal_text="",
    )
    between = interval(speedup["low"], speedup["high"], "ratio")
    return Tool(name, say(speedup["value"]), between, share(speedup["value"] / workers), scale, "", used)
