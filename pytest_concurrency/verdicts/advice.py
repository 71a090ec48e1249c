"""What to do about it: a plain recommendation from the measured bound type (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pytest_concurrency.core.model import Bound, Estimate, Interval
from pytest_concurrency.core.units import number, ratio

_CEILING = 0.93  # part of the best possible speedup from which a threshold leaves no room


def which_tool(bound: Bound, together: bool = True) -> str:
    """One line: the tool for this kind of work; ``together``: several workers were seen at it."""
    work, tool = work_and_tool(bound, together)
    return f"{work}: {tool}"


def work_and_tool(bound: Bound, together: bool = True) -> tuple[str, str]:
    """What kind of work it is, and the tool for it."""
    if bound.kind == "io":
        return "it waits", "threads or asyncio" + ("" if together else ", if its waits overlap (see expect_io_bound)")
    if bound.kind == "serialized":
        return "its waits do not overlap", "remove the lock, or use a larger pool or limit"
    if bound.kind == "mixed":
        if bound.gil in ("released", "disabled"):
            return "it waits and computes in parallel", "threads"
        return "it waits and computes", "threads for the waits, processes for the computing"
    if bound.gil == "released":
        return "it computes without the GIL", "threads"
    if bound.gil == "briefly_released":
        return "it computes, and releases the GIL only briefly", "processes (or a free-threaded build)"
    if bound.gil == "disabled":
        return "it computes, and there is no GIL", "threads"
    if bound.gil == "unknown":
        return "it computes", "processes (or threads, if it releases the GIL)"
    return "it computes under the GIL", "processes (or a free-threaded build)"


def ceiling(workers: int, cpu_share: float, cpus: float) -> float:
    """Best possible speedup: the longer of one body's time and all computing spread over the CPUs."""
    return workers / max(1.0, workers * cpu_share / cpus)


def safe_threshold(estimate: Estimate, best: float, room: float) -> float:
    """A threshold far enough below a figure for the margin, rounded down to a number that a person would write."""
    return math.floor(min(estimate.low, best) * room * 10) / 10


def threshold(at_least: float, estimate: Estimate, best: float, margin: Interval) -> str:
    """Say that a threshold asks for trouble, and propose one that does not; empty if it is a good one."""
    better_one = safe_threshold(estimate, best, margin.low / margin.high)
    if at_least > _CEILING * best:
        what = f"at_least={number(at_least)} is at the limit of what is possible here, {number(round(best, 2))}x"
    elif margin.low < estimate.value < at_least:
        what = f"the measured {ratio(estimate.value)} is below at_least={number(at_least)}, inside the margin"
    else:
        return ""
    better = f": at_least={number(better_one)} leaves room for noise" if 1 < better_one < at_least else ""
    return what + better


def source_of_test(target: str, arguments: str, markers: Sequence[str], is_async: bool) -> str:
    """A test to paste, with its imports."""
    module, _, names = target.partition(":")
    top = names.partition(".")[0]
    call = f"{names}({arguments})"
    lines = [
        "import pytest",
        f"from {module} import {top}",
        "",
        "",
        *markers,
        f"{'async ' if is_async else ''}def test_{names.replace('.', '_').lower().lstrip('_')}():",
        f"    {'await ' if is_async else ''}{call}",
    ]
    return "\n".join(lines)
