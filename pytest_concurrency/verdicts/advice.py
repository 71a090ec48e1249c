"""Which tool suits the measured code, which threshold suits a figure, and a test to paste."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pytest_concurrency.core import stats
from pytest_concurrency.core.model import Interval
from pytest_concurrency.core.outcomes import Bound, Estimate
from pytest_concurrency.core.units import number, ratio

_CEILING = 0.93  # a threshold above this part of the best possible speedup leaves no room for noise
_NO_GAIN, _GAIN = 1.2, 1.5  # below the first and from the second on, the measured speedup of threads decides the tool
_HOW = {
    "held": " under the GIL",
    "released": " without the GIL",
    "briefly_released": ", and releases the GIL only briefly",
    "disabled": ", and there is no GIL",
    "unknown": "",
}
_BY_GIL = {
    "held": "processes (or a free-threaded build)",
    "released": "threads",
    "briefly_released": "processes (or a free-threaded build)",
    "disabled": "threads",
    "unknown": "processes (or threads, if it releases the GIL)",
}


def work_and_tool(bound: Bound, together: bool = True, by_threads: Interval | None = None) -> tuple[str, str]:
    """Return what kind of work it is, and the tool for it.

    :param together: whether several workers were measured.
    :param by_threads: bounds of the measured speedup of threads, which no advice may contradict; None if it was not
        measured.
    """
    work = what_it_does(bound)
    if bound.kind == "io":
        return work, "threads or asyncio" + ("" if together else ", if its waits overlap (see expect_io_bound)")
    if bound.kind == "serialized":
        return work, "remove the lock, or use a larger pool or limit"
    gain = stats.middle(by_threads) if by_threads is not None else math.nan
    if gain < _NO_GAIN and bound.gil in ("released", "disabled"):
        without = "but threads do not speed it up" if bound.kind == "cpu" else "but not in parallel"
        return f"{work}, {without} ({ratio(gain)})", "processes"
    if by_threads is not None and by_threads.low >= _GAIN and bound.kind == "cpu":
        return f"{work}, and is {ratio(gain)} as fast in threads", "threads"
    if bound.kind == "mixed":
        if bound.gil in ("released", "disabled"):
            return f"{work} in parallel", "threads"
        return work, "threads for the waits, processes for the computing"
    return work, _BY_GIL[bound.gil]


def what_it_does(bound: Bound) -> str:
    """Return what kind of work it is, in words: ``it computes under the GIL``."""
    if bound.kind == "cpu":
        return f"it computes{_HOW[bound.gil]}"
    return {"io": "it waits", "serialized": "its waits do not overlap", "mixed": "it waits and computes"}[bound.kind]


def ceiling(workers: int, cpu_share: float, cpus: float) -> float:
    """Return the best possible speedup: no less time than one call takes, or all computing spread over the CPUs."""
    return workers / max(1.0, workers * cpu_share / cpus)


def safe_threshold(estimate: Estimate, best: float, room: float) -> float:
    """Return a threshold far enough below a figure for the margin, rounded down to one decimal."""
    return math.floor(min(estimate.low, best) * room * 10) / 10


def threshold(at_least: float, estimate: Estimate, best: float, margin: Interval, of: int | None = None) -> str:
    """Return what is wrong with a threshold, and a better one; empty if it is a good one.

    :param of: the number of workers, if the test gives the threshold as an efficiency.
    """
    better_one = safe_threshold(estimate, best, margin.low / margin.high)
    if at_least > _CEILING * best:
        what = f"{_spelled(at_least, of)} is close to the best that is possible here, {number(round(best, 2))}x"
    elif margin.low < estimate.value < at_least and better_one > 1:
        what = f"the measured {ratio(estimate.value)} is below {_spelled(at_least, of)}, inside the margin"
        return f"{what}. If it was higher before, look for what was lost; otherwise, write {_spelled(better_one, of)}"
    else:
        return ""
    better = f"; {_spelled(better_one, of)} leaves room for noise" if 1 < better_one < at_least else ""
    return what + better


def _spelled(at_least: float, of: int | None) -> str:
    """Return a threshold as a test spells it; an efficiency is rounded down, with the speedup that it stands for."""
    if of is None:
        return f"at_least={number(at_least)}"
    return f"efficiency={number(math.floor(at_least / of * 100 + 1e-6) / 100)} ({ratio(at_least)})"


def source_of_test(target: str, arguments: str, markers: Sequence[str], is_async: bool) -> str:
    """Return a test to paste, with its imports."""
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
