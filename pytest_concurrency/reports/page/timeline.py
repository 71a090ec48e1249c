"""The calls of a watched function as a timeline: a row for each thread, task or process."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pytest_concurrency.core.units import count, duration

MOST_ROWS = 40  # rows of one worker each; with more workers, calls that do not overlap share a row
_MOST_LISTED = 100  # workers in the table below the picture

_Call = Mapping[str, Any]


class Bar(NamedTuple):
    """One call, in seconds since the first one began."""

    start: float
    end: float
    depth: int  # how many other calls of the same worker contain this one
    state: str  # "done", "raised", or "running" if the call had not ended when the test ended
    title: str


class Lane(NamedTuple):
    """One row."""

    name: str  # empty if several workers share it
    bars: tuple[Bar, ...]


class Worker(NamedTuple):
    """What one thread or task did, for the table."""

    name: str
    calls: int
    first: str
    last: str
    raised: int


class Timeline(NamedTuple):
    """The calls of one watched function."""

    name: str
    summary: str
    lanes: tuple[Lane, ...]
    length: float  # seconds
    peak: int
    peak_at: float | None
    inside: tuple[tuple[float, int], ...]  # moments, and how many were inside from then on
    states: frozenset[str]
    workers: tuple[Worker, ...]
    more_workers: int  # workers that the table leaves out
    shared: bool  # whether several workers share a row
    drawn: int  # calls in the record, which are drawn
    left_out: int  # calls that were counted but are not in the record


def timelines_of(record: Mapping[str, Any]) -> tuple[Timeline, ...]:
    """Return a timeline for each watched function of a test that was called."""
    return tuple(_timeline(watched) for watched in record.get("calls", ()) if watched["calls"])


def _timeline(watched: Mapping[str, Any]) -> Timeline:
    calls = sorted(watched["calls"], key=lambda call: float(call["start"]))
    amount = max(watched.get("count", 0), len(calls))
    length = max(max(call["start"], call.get("end") or 0.0) for call in calls)
    by_worker: dict[tuple[Any, ...], list[_Call]] = {}
    for call in calls:
        by_worker.setdefault((call["process"], call["thread"], call.get("task")), []).append(call)
    names = _names(list(by_worker))
    spans = {key: [_bar(call, names[key], length) for call in seen] for key, seen in by_worker.items()}
    shared = len(by_worker) > MOST_ROWS
    if shared:
        lanes = _packed([bar for bars in spans.values() for bar in bars])
    else:
        lanes = tuple(Lane(names[key], _nested(bars)) for key, bars in spans.items())
    raised = sum(bool(call.get("raised")) for call in calls)
    running = sum(call.get("end") is None for call in calls)
    peak, at = watched["peak"], watched.get("peak_at")
    more = "".join(
        [
            f"; {count(raised, 'call')} raised an exception" if raised else "",
            f"; {count(running, 'call')} had not ended with the test" if running else "",
        ]
    )
    reached = f", for the first time {duration(at)} after the first call began" if at and peak > 1 else ""
    return Timeline(
        name=watched["name"],
        summary=(
            f"{count(amount, 'call')} by {_who(list(by_worker))} within {duration(length)}. "
            f"At most {peak} at one moment{reached}{more}."
        ),
        lanes=lanes,
        length=length,
        peak=peak,
        peak_at=at,
        inside=_inside(spans.values()),
        states=frozenset(bar.state for bars in spans.values() for bar in bars),
        workers=tuple(_worker(names[key], seen) for key, seen in list(by_worker.items())[:_MOST_LISTED]),
        more_workers=max(0, len(by_worker) - _MOST_LISTED),
        shared=shared,
        drawn=len(calls),
        left_out=amount - len(calls),
    )


def _names(keys: Sequence[tuple[Any, ...]]) -> dict[tuple[Any, ...], str]:
    """Return each worker's name: its task, and its thread and process where there are several."""
    several_processes = len({process for process, _, _ in keys}) > 1
    several_threads = len({thread for _, thread, _ in keys}) > 1
    found = {}
    for process, thread, task in keys:
        parts = [f"process {process}"] if several_processes else []
        if task is None or several_threads:
            parts.append(thread)
        if task is not None:
            parts.append(task)
        found[process, thread, task] = ", ".join(parts)
    return found


def _who(keys: Sequence[tuple[Any, ...]]) -> str:
    tasks = len({key for key in keys if key[2] is not None})
    threads = len({key for key in keys if key[2] is None})
    processes = len({process for process, _, _ in keys})
    parts = [count(threads, "thread")] if threads else []
    parts += [count(tasks, "task")] if tasks else []
    return " and ".join(parts) + (f" in {processes} processes" if processes > 1 else "")


def _bar(call: _Call, who: str, length: float) -> Bar:
    start, end = call["start"], call.get("end")
    state = "running" if end is None else "raised" if call.get("raised") else "done"
    last = length if end is None else max(start, end)
    said = f"{who}: {duration(start)} to {duration(last)}"
    said += f", raised {call['raised']}" if state == "raised" else ", not ended" if state == "running" else ""
    return Bar(start, last, 0, state, said)


def _nested(bars: Sequence[Bar]) -> tuple[Bar, ...]:
    """Return the calls of one worker with their depth: calls of a recursive function lie inside one another."""
    found: list[Bar] = []
    ends: list[float] = []
    for bar in bars:
        while ends and ends[-1] <= bar.start:
            ends.pop()
        found.append(bar._replace(depth=len(ends)))
        ends.append(bar.end)
    return tuple(found)


def _packed(bars: Sequence[Bar]) -> tuple[Lane, ...]:
    """Put calls into as few rows as possible. Calls in one row do not overlap."""
    rows: list[list[Bar]] = []
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    for bar in sorted(bars):
        while busy and busy[0][0] <= bar.start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        row = heapq.heappop(free) if free else len(rows)
        if row == len(rows):
            rows.append([])
        rows[row].append(bar)
        heapq.heappush(busy, (bar.end, row))
    return tuple(Lane("", tuple(row)) for row in rows)


def _inside(workers: Any) -> tuple[tuple[float, int], ...]:
    """Return how many workers were inside from each moment on."""
    changes: dict[float, int] = {}
    for bars in workers:
        for start, end in _joined(bars):
            changes[start] = changes.get(start, 0) + 1
            changes[end] = changes.get(end, 0) - 1
    found, now = [], 0
    for moment in sorted(changes):
        now += changes[moment]
        found.append((moment, now))
    return tuple(found)


def _joined(bars: Sequence[Bar]) -> list[tuple[float, float]]:
    """Return the periods in which one worker was inside. Its overlapping calls are joined into one period."""
    found: list[tuple[float, float]] = []
    for bar in bars:
        if found and bar.start < found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], bar.end)
        else:
            found.append((bar.start, bar.end))
    return found


def _worker(name: str, calls: Sequence[_Call]) -> Worker:
    ends = [call.get("end") for call in calls]
    last = "still runs" if None in ends else duration(max(end for end in ends if end is not None))
    return Worker(name, len(calls), duration(calls[0]["start"]), last, sum(bool(call.get("raised")) for call in calls))
