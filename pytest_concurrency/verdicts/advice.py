"""What to do about it: a plain recommendation from the measured bound type (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pytest_concurrency.core import stats
from pytest_concurrency.core.model import Bound, Estimate, Interval
from pytest_concurrency.core.units import number, ratio, share

SWAPPED = (
    "The first function is the faster one. If that was to be shown, swap them: compare(slow, fast) asks how many times "
    "faster the second is. Else look for what the second does besides: starting threads or processes, sending data to "
    "them, a lock."
)
_NO_GAIN, _GAIN = 1.2, 1.5  # speedups by threads below, and from which on, what was measured decides on the tool
_TOOLS = {"io": "threads or asyncio", "serialized": "remove the lock, or widen the pool or limit"}
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
_CEILING = 0.93  # part of the best possible speedup from which a threshold leaves no room


def which_tool(bound: Bound, together: bool = True, by_threads: Interval | None = None) -> str:
    """One line: what the body does, and the tool for this kind of work.

    :param together: whether several workers were seen at it.
    :param by_threads: bounds of the speedup that threads were measured to give, which no advice may contradict; None if
        none was measured.
    """
    if bound.kind in ("io", "serialized"):
        known = together or bound.kind == "serialized"
        open_ = "" if known else ", if its waits overlap (expect_io_bound tells)"
        return f"{what_it_does(bound)}: {_TOOLS[bound.kind]}{open_}"
    gain = stats.middle(by_threads) if by_threads is not None else math.nan
    if gain < _NO_GAIN and bound.gil in ("released", "disabled"):
        took_turns = "and its threads do not get further together" if bound.kind == "cpu" else "but not in parallel"
        return f"{what_it_does(bound)}, {took_turns} ({ratio(gain)}): processes"
    if by_threads is not None and by_threads.low >= _GAIN and bound.kind == "cpu":
        return f"{what_it_does(bound)}, and is {ratio(gain)} as fast in threads: threads"
    if bound.kind == "mixed":
        if bound.gil in ("released", "disabled"):
            return "it waits and computes in parallel: threads"
        return "it waits and computes: threads for the waits, processes for the computing"
    return f"{what_it_does(bound)}: {_BY_GIL[bound.gil]}"


def what_it_does(bound: Bound) -> str:
    """In words, without a tool for it: ``it computes under the GIL``."""
    if bound.kind == "cpu":
        return f"it computes{_HOW[bound.gil]}"
    return {"io": "it waits", "serialized": "its waits queue", "mixed": "it waits and computes"}[bound.kind]


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
        what = f"at_least={number(at_least)} sits at the ceiling of what is possible here, {number(round(best, 2))}x"
    elif margin.low < estimate.value < at_least:
        what = f"the figure, {ratio(estimate.value)}, lies below at_least={number(at_least)}, inside the margin"
    else:
        return ""
    better = f": at_least={number(better_one)} leaves room for noise" if 1 < better_one < at_least else ""
    return what + better


def what_holds(kind: str, by_another: bool = False) -> str:
    """What to do about a long hold of the GIL, or a long block of the event loop; ``by_another`` thread's doing."""
    if by_another:
        return (
            "The loop had nothing to run: a thread that the body uses holds the GIL at a stretch, so moving the call "
            "into asyncio.to_thread() does not help. Move it into a process (loop.run_in_executor with a "
            "ProcessPoolExecutor), or use a library that releases the GIL."
        )
    if kind == "block":
        return (
            "Something in the async def body waits or computes without an await: await an asynchronous version of "
            "the call, or move it into asyncio.to_thread() (computing under the GIL: into a process)."
        )
    return (
        "Other threads stand still meanwhile. In an extension, release the GIL around the work "
        "(Py_BEGIN_ALLOW_THREADS, nogil in Cython, allow_threads in PyO3); computing in Python belongs into processes."
    )


def what_to_try(bound: Bound, backend: str, wants_speed: bool, one_interpreter: bool = True) -> str:
    """What to look at first where an expectation is not met; ``one_interpreter``: its workers share it."""
    if not wants_speed:
        return "It runs more in parallel than the test allows. If that is now intended, raise the limit."
    if backend == "compare":
        return (
            f"The first function spends {share(bound.cpu_share)} of its time computing; for such work: "
            f"{which_tool(bound)}. If the second does that, look for what holds it up: a lock, a pool that is too "
            "small, work left serial."
        )
    if bound.kind == "serialized":
        if backend == "tasks":
            return (
                "Either tasks queue: look for an asyncio.Lock or Semaphore around the await, or a connection pool. Or "
                "a blocking call (time.sleep, requests, file or database access) inside the async def body keeps the "
                "event loop from running: await an asynchronous version of it, or move it into asyncio.to_thread()."
            )
        return (
            "The workers wait for each other: look for a Lock or Semaphore around the call, a connection pool of "
            "one, a rate limit, or an extension that keeps the GIL while it waits. Remove it or make it wider."
        )
    if bound.kind == "io":
        return (
            "The body waits, and its waits overlap only in part: look at limits of what it waits for "
            "(pool size, server workers, rate limit)."
        )
    if backend == "tasks":
        return (
            "An event loop runs in one thread, so tasks never compute at the same time. "
            "Use processes, or asyncio.to_thread() for computing that releases the GIL."
        )
    if one_interpreter and bound.gil == "briefly_released":
        return (
            "The body releases the global interpreter lock (GIL) often, but only for microseconds, as SQLite does at "
            "each row. Its threads take turns all the same, so they do not make this faster. Use processes, do more in "
            "each call (executemany, fewer and larger pieces), or a free-threaded build of Python."
        )
    if one_interpreter and bound.gil == "held":
        return (
            "Python lets only one thread at a time compute (the global interpreter lock, GIL), so threads do not make "
            "this faster. Use processes (ProcessPoolExecutor, multiprocessing), a library that releases the GIL "
            "while it computes, or a free-threaded build of Python."
        )
    if one_interpreter:
        return (
            "The body computes, and its threads do not get further together: look for a lock around the computing, "
            "objects that all threads write to, or memory bandwidth."
        )
    return (
        "The body computes, and its workers do not get further together: look for a lock or file that they share, "
        "memory bandwidth, work that only one of them does, or a pool that is too small."
    )


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
