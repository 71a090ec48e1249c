"""What the page has of tests' ordinary runs: timelines of calls, and the list of blocks of event loops."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

from pytest_concurrency.runs import record

from .test_blocks import SOME, block
from .test_html import Page, one, page_of, render, run_of
from .test_timeline import call

WATCHED = {"name": "shop:get", "peak": 2, "peak_at": 0.5, "count": 2, "calls": [call(0, 1), call(0.5, 2, "B")]}


def watched(nodeid: str = "test_a.py::test_watch", **more: Any) -> dict[str, Any]:
    return {**record.unmeasured(nodeid), "calls": [{**WATCHED, **more}]}


def head_of(page: Page) -> str:
    (said,) = [text for tag, text in page.texts if tag == "h1"]
    return said


def test_watched_function_has_a_timeline_in_its_tests_article() -> None:
    page = page_of(one(), watched())
    assert len(page.all("article")) == 2
    (drawing,) = [svg for svg in page.all("svg") if "timeline" in svg["class"]]
    assert drawing["role"] == "img"
    assert "2 calls by 2 threads" in drawing["aria-label"]
    assert head_of(page) == "The expectation is met."
    assert "Nothing was expected" not in page.text
    assert "cannot be read here" not in page.text


def test_page_of_watched_functions_alone_says_so() -> None:
    page = page_of(watched(), watched("t::b"))
    assert head_of(page) == "The calls of 2 watched functions; no test measured anything."
    assert "A blocked" not in page.text


def test_calls_that_the_record_left_out_are_reported() -> None:
    assert "The picture has the first 2 of them." in page_of(watched(count=30_000)).text


def test_blocks_are_listed_longest_first_and_have_no_article() -> None:
    page = Page(render(run_of(*SOME["records"], max_block=0.05)))
    assert head_of(page) == "2 blocks of event loops are longer than 50 ms."
    assert page.all("article") == []
    assert page.text.index("b.py:2 in g: y()") < page.text.index("a.py:1 in f: x()")
    assert "allowed: old driver" in page.text
    assert [link["href"] for link in page.all("a") if link["href"] == "#blocks"]


def test_blocks_that_count_are_in_the_headline_beside_verdicts() -> None:
    page = Page(render(run_of(one(), *SOME["records"], max_block=0.05)))
    assert head_of(page) == "The expectation is met. 2 blocks of event loops are longer than 50 ms."


def test_guard_that_found_nothing_says_so() -> None:
    page = Page(render(run_of(one(), max_block=0.05)))
    assert head_of(page) == "The expectation is met."
    assert "No block of an event loop is longer than 50 ms." in page.text


def test_10000_blocks_are_a_page_of_bounded_size() -> None:
    tests = [{**record.unmeasured(f"t::{n}"), "blocks": [block(0.2, f"a.py:{n} in f: x()")]} for n in range(10_000)]
    text = render(run_of(*tests, max_block=0.05))
    assert len(text) < 400_000
    assert "… and 9500 more lines" in text


def test_hostile_names_are_escaped() -> None:
    text = render(run_of(watched(name="<script>x</script>"), {**SOME["records"][0], "nodeid": "<script>"}))
    assert "<script>" not in text
    Page(text)
