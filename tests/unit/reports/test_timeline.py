"""The timeline of a watched function's calls: rows, peak, and its size with thousands of calls."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_concurrency.reports.page import timeline

pytest.importorskip("matplotlib")

from pytest_concurrency.reports.page import timeline_chart


def call(start: float, end: float | None, thread: str = "A", task: str | None = None, **more: Any) -> dict[str, Any]:
    return {"start": start, "end": end, "process": 1, "thread": thread, "task": task, "raised": None, **more}


def of(*calls: dict[str, Any], peak: int = 1, peak_at: float = 0.0, **more: Any) -> timeline.Timeline:
    watched = {"name": "shop:get", "peak": peak, "peak_at": peak_at, "count": len(calls), "calls": list(calls), **more}
    (found,) = timeline.timelines_of({"calls": [watched]})
    return found


def test_row_for_each_thread_in_the_order_of_their_first_calls() -> None:
    found = of(call(0, 2, "B"), call(1, 3, "A"), call(2, 4, "B"), peak=2, peak_at=1.0)
    assert [(lane.name, len(lane.bars)) for lane in found.lanes] == [("B", 2), ("A", 1)]
    assert found.inside == ((0, 1), (1, 2), (2, 2), (3, 1), (4, 0))
    assert found.summary == (
        "3 calls by 2 threads within 4 s. At most 2 at one moment, for the first time 1 s after the first call began."
    )


def test_name_says_thread_and_process_where_there_are_several() -> None:
    found = of(call(0, 1, task="t1"), call(0, 1, task="t2"))
    assert [lane.name for lane in found.lanes] == ["t1", "t2"]
    found = of(call(0, 1, task="t1"), call(0, 1, "B", process=2))
    assert [lane.name for lane in found.lanes] == ["process 1, A, t1", "process 2, B"]


def test_recursive_call_is_inside_of_its_caller() -> None:
    found = of(call(0, 5), call(1, 4), call(2, 3), call(6, 7))
    assert [bar.depth for bar in found.lanes[0].bars] == [0, 1, 2, 0]
    assert max(amount for _, amount in found.inside) == 1


def test_raised_and_unfinished_calls_are_distinguished() -> None:
    found = of(call(0, 1, raised="OSError"), call(1, None, "B"), call(1, 3, "C"))
    assert [bar.state for lane in found.lanes for bar in lane.bars] == ["raised", "running", "done"]
    assert found.lanes[1].bars[0].end == 3
    assert found.summary.endswith("; 1 call raised an exception; 1 call had not ended with the test.")
    drawn = timeline_chart.draw(found)
    assert "A: 0 s to 1 s, raised OSError" in drawn
    for color in ("--not-met", "--delay", "--accent"):
        assert color in drawn


MOMENTS = st.floats(0, 100, allow_nan=False).map(lambda value: round(value, 3))
CALLS = st.lists(st.tuples(MOMENTS, MOMENTS), min_size=timeline.MOST_ROWS + 1, max_size=80)


@given(CALLS)
def test_calls_that_share_a_row_never_overlap(spans: list[tuple[float, float]]) -> None:
    found = of(*(call(min(span), max(span), f"T{number}") for number, span in enumerate(spans)))
    assert found.shared
    assert sum(len(lane.bars) for lane in found.lanes) == len(spans)
    for lane in found.lanes:
        ends = [bar.end for bar in lane.bars]
        assert all(end <= bar.start for end, bar in zip(ends, lane.bars[1:], strict=False))


def test_element_is_well_formed_and_says_in_words_what_it_shows() -> None:
    found = of(call(0, 1, '<b>"&'), call(0.5, None, "B"), peak=2, peak_at=0.5)
    root = ElementTree.fromstring(timeline_chart.draw(found))
    assert root.get("role") == "img"
    assert (root.get("aria-label") or "").startswith("Timeline of the calls of shop:get: 2 calls by 2 threads")
    texts = [text.text for text in root.iter("text")]
    assert "peak: 2" in texts
    assert '<b>"&' in texts


@pytest.mark.parametrize("limit", [10, 2000])
def test_2000_calls_are_a_small_picture(limit: int) -> None:
    calls = [call(number / 1000, (number + limit) / 1000, "Main", f"task {number}") for number in range(2000)]
    drawn = timeline_chart.draw(of(*calls, peak=limit))
    assert len(drawn) < 150_000
    height = float((re.search(r'viewBox="0 0 [\d.]+ ([\d.]+)"', drawn) or [""])[1])
    assert height < 800


def test_call_without_a_duration_is_seen() -> None:
    drawn = timeline_chart.draw(of(call(0, 0)))
    assert 'width="1.0"' in drawn
    ElementTree.fromstring(drawn)


def test_function_that_was_never_called_has_none() -> None:
    assert timeline.timelines_of({"calls": [{"name": "a:b", "peak": 0, "calls": []}]}) == ()
    assert timeline.timelines_of({}) == ()
