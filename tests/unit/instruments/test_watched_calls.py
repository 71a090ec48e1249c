from __future__ import annotations

import json
from itertools import count

from pytest_concurrency.instruments import watched_calls
from pytest_concurrency.instruments.watched_calls import Event


def events(*steps: str) -> list[Event]:
    """``"a1"`` begins call 1 of thread a, ``"-a1"`` ends it; one step a second."""
    order = count()
    return [
        Event(next(order), float(at), step[-1], step.startswith("-"), 1, step.strip("-")[0], None)
        for at, step in enumerate(steps)
    ]


def test_peak_is_by_the_order_of_events() -> None:
    assert watched_calls.peak(events("a1", "-a1", "b2", "-b2")) == 1
    assert watched_calls.peak(events("a1", "b2", "c3", "-a1", "-b2", "-c3")) == 3


def test_recursion_counts_once() -> None:
    assert watched_calls.peak(events("a1", "a2", "-a2", "-a1")) == 1


def test_events_of_other_processes_are_ordered_by_time() -> None:
    here = events("a1", "-a1")
    there = [Event(-1, 0.5, "9", False, 2, "m", None), Event(-1, 0.7, "9", True, 2, "m", None)]
    assert watched_calls.peak(watched_calls.in_order([*here, *there])) == 2


def test_trace_has_a_row_for_each_worker() -> None:
    called = watched_calls.calls(events("a1", "b2", "-a1"))
    assert [(call.start, call.end) for call in called] == [(0, 2), (1, None)]
    written = json.loads(json.dumps(watched_calls.trace("shop:get", called)))
    rows = [event for event in written["traceEvents"] if event["ph"] == "M"]
    calls = [event for event in written["traceEvents"] if event["ph"] == "X"]
    assert [row["args"]["name"] for row in rows] == ["a", "b"]
    assert [(call["ts"], call["dur"], call["tid"]) for call in calls] == [(0, 2e6, 1), (1e6, 1e6, 2)]
    assert calls[1]["args"] == {"unfinished": "yes"}


def test_record_has_when_the_peak_was_reached_first() -> None:
    found = watched_calls.as_json("shop:get", events("a1", "b2", "-a1", "-b2", "c3", "a4"))
    assert (found["peak"], found["peak_at"], found["count"]) == (2, 1.0, 4)
    assert watched_calls.as_json("shop:get", []) == {
        "name": "shop:get",
        "peak": 0,
        "peak_at": None,
        "count": 0,
        "calls": [],
    }


def test_record_has_the_first_calls_of_very_many() -> None:
    begun = [Event(at, at / 7, str(at), False, 1, "a", None) for at in range(watched_calls.MOST_KEPT + 5)]
    found = watched_calls.as_json("shop:get", begun)
    assert (found["count"], len(found["calls"])) == (len(begun), watched_calls.MOST_KEPT)
    assert found["calls"][1]["start"] == 0.142857143
