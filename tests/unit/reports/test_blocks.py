"""The list of blocks of event loops: by line, the longest first."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_concurrency.reports import blocks
from pytest_concurrency.runs import record


def block(high: float, where: str | None, *, allowed: str | None = None, sure: bool = True) -> dict[str, Any]:
    return {"low": 0.1, "high": high, "where": where, "causes": {}, "allowed": allowed, "sure": sure}


def run_of(*tests: tuple[str, list[dict[str, Any]]], **head: Any) -> dict[str, Any]:
    records = [{**record.unmeasured(nodeid), **({"blocks": found} if found else {})} for nodeid, found in tests]
    return {**record.run_of({}, records), **head}


SOME = run_of(
    ("t1", [block(0.2, "a.py:1 in f: x()"), block(0.4, "b.py:2 in g: y()", allowed="old driver")]),
    ("t2", [block(0.3, "a.py:1 in f: x()")]),
    ("t3", [block(0.1, None, sure=False)]),
    max_block=0.05,
)


def test_list_is_by_line_and_longest_first() -> None:
    found = blocks.blocks_of(SOME)
    assert found is not None
    assert list(blocks.in_terminal(found, 80)) == [
        "  400 ms  1 time in 1 test  b.py:2 in g: y(); allowed: old driver",
        "  300 ms  2 times in 2 tests  a.py:1 in f: x()",
        "  100 ms  1 time in 1 test  line not caught; not counted: it may have been",
        "          something else",
    ]
    assert [line.longest_in for line in found.lines] == ["t1", "t2", "t3"]


def test_headline_counts_blocks_that_are_certain_and_not_exempt() -> None:
    found = blocks.blocks_of(SOME)
    assert found is not None
    assert found.headline == "2 blocks of event loops are longer than 50 ms."
    assert found.summary.startswith("4 blocks at 3 lines of code in 3 tests. 2 of them do not count")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([], "No block of an event loop is longer than 50 ms."),
        ([block(0.2, "a", allowed="x")], "No block of an event loop is longer than 50 ms and counts."),
        ([block(0.2, "a")], "1 block of an event loop is longer than 50 ms."),
    ],
)
def test_headline(found: list[dict[str, Any]], said: str) -> None:
    seen = blocks.blocks_of(run_of(("t", found), max_block=0.05))
    assert seen is not None
    assert seen.headline == said


def test_run_without_the_guard_has_no_list() -> None:
    assert blocks.blocks_of(run_of(("t", []))) is None


def test_long_list_is_cut_in_a_terminal() -> None:
    found = blocks.blocks_of(run_of(("t", [block(0.2, f"a.py:{line}") for line in range(40)])))
    assert found is not None
    lines = list(blocks.in_terminal(found, 80))
    assert len(lines) == 31
    assert lines[-1] == "... and 10 more lines; --concurrency-report=html:PATH lists them"
