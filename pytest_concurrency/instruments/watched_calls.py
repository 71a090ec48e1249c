"""The calls of a watched function: which overlapped, the peak, and a trace for a viewer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

MOST_KEPT = 10_000  # calls of one function in a record; more would take more space than all else in it


class Event(NamedTuple):
    """The start or the end of one call."""

    order: int  # position among the events of this process; -1 for events of other processes
    time: float  # seconds on the host's monotonic clock
    call: str
    is_end: bool
    process: int
    thread: str
    task: str | None
    raised: str | None = None  # the name of the exception's type


class Call(NamedTuple):
    """One call: when it began and ended, in seconds since the first one began, and who ran it."""

    start: float
    end: float | None  # None if the call still runs
    process: int
    thread: str
    task: str | None
    raised: str | None  # the name of the exception's type, if the call raised one

    @property
    def worker(self) -> str:
        """The thread or task that ran the call, in words."""
        return self.thread if self.task is None else f"{self.thread}, {self.task}"


def in_order(events: Iterable[Event]) -> list[Event]:
    """Sort events by their order if all are from this process, which needs no clock; otherwise by time."""
    known = list(events)
    if any(event.order < 0 for event in known):
        return sorted(known, key=lambda event: event.time)
    return sorted(known, key=lambda event: event.order)


def peak(events: Sequence[Event]) -> int:
    """Return the largest number of threads and tasks inside the function at one moment; recursion counts once."""
    return first_peak(events)[0]


def first_peak(events: Sequence[Event]) -> tuple[int, Event | None]:
    """Return the peak, and the start event at which it was first reached."""
    inside: dict[tuple[int, str, str | None], int] = {}
    most, reached = 0, None
    for event in events:
        worker = (event.process, event.thread, event.task)
        inside[worker] = inside.get(worker, 0) + (-1 if event.is_end else 1)
        if not inside[worker]:
            del inside[worker]
        if len(inside) > most:
            most, reached = len(inside), event
    return most, reached


def calls(events: Sequence[Event]) -> tuple[Call, ...]:
    """Return the calls, in the order in which they began."""
    ends = {event.call: event for event in events if event.is_end}
    begun = [event for event in events if not event.is_end]
    zero = min((event.time for event in begun), default=0.0)
    found = []
    for event in begun:
        end = ends.get(event.call)
        found.append(
            Call(
                event.time - zero,
                None if end is None else end.time - zero,
                event.process,
                event.thread,
                event.task,
                None if end is None else end.raised,
            )
        )
    return tuple(found)


def as_json(name: str, events: Sequence[Event]) -> dict[str, Any]:
    """Return a watched function's calls as plain values, for a report: figures of all calls, and the first calls."""
    called = calls(events)
    most, reached = first_peak(events)
    zero = min((event.time for event in events if not event.is_end), default=0.0)
    return {
        "name": name,
        "peak": most,
        "peak_at": None if reached is None else round(reached.time - zero, 9),
        "count": len(called),
        "calls": [_plain(call) for call in called[:MOST_KEPT]],
    }


def _plain(call: Call) -> dict[str, Any]:
    end = None if call.end is None else round(call.end, 9)
    return {**call._asdict(), "start": round(call.start, 9), "end": end}


def trace(name: str, called: Sequence[Call]) -> dict[str, Any]:
    """Return the calls in Chrome's trace event format, which Perfetto and ``chrome://tracing`` read.

    Each thread and each task has its own row; times are in microseconds.
    """
    rows: dict[tuple[int, str], int] = {}
    events: list[dict[str, Any]] = []
    last = max((time for call in called for time in (call.start, call.end) if time is not None), default=0.0)
    for call in called:
        row = rows.setdefault((call.process, call.worker), len(rows) + 1)
        arguments = {"raised": call.raised} if call.raised else {}
        if call.end is None:
            arguments["unfinished"] = "yes"
        end = last if call.end is None else call.end
        events.append(
            {
                "name": name,
                "ph": "X",
                "ts": call.start * 1e6,
                "dur": max(0.0, end - call.start) * 1e6,
                "pid": call.process,
                "tid": row,
                "args": arguments,
            }
        )
    names = [
        {"name": "thread_name", "ph": "M", "pid": process, "tid": row, "args": {"name": worker}}
        for (process, worker), row in rows.items()
    ]
    return {"traceEvents": names + events, "displayTimeUnit": "ms"}
