from __future__ import annotations

from typing import Any

import pytest

from pytest_concurrency.core.model import Interference
from pytest_concurrency.core.outcomes import Bound, Estimate, Point
from pytest_concurrency.reports import columns
from pytest_concurrency.reports.columns import COLUMNS
from pytest_concurrency.reports.rows import Row, name_of, rows_of, shorten, tally
from pytest_concurrency.runs import record

from ..make import outcome

CURVE = (
    Point(2, Estimate(1.9, 1.8, 2.0), 0.95, 0.05, 0.0, 0.1, 0.0, 0.0, None),
    Point(4, Estimate(2.4, 2.3, 2.5), 0.6, 0.22, 0.2, 0.25, 0.0, 0.0, None),
)


def row(nodeid: str = "test_a.py::test_a", **changes: Any) -> Row:
    (found,) = rows_of([record.record_of(nodeid, [outcome(**changes)])])
    return found


def cell(name: str, **changes: Any) -> str:
    return COLUMNS[name].cell(row(**changes))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("test", "test_a.py::test_a"),
        ("verdict", "met"),
        ("expects", "speedup"),
        ("marker", "expect_speedup"),
        ("figure", "3.97x [3.91, 4.02]"),
        ("value", "3.97x"),
        ("interval", "[3.91, 4.02]"),
        ("required", ">= 3x"),
        ("threshold", "3x"),
        ("bound", "io"),
        ("cpu", "2%"),
        ("wait", "98%"),
        ("gil", "unknown"),
        ("workers", "4 threads"),
        ("efficiency", "99%"),
        ("rounds", "6"),
        ("time", "250 ms"),
        ("seconds", "0.25"),
        ("interference", "0.10 CPUs"),
    ],
)
def test_what_a_cell_shows(name: str, shown: str) -> None:
    assert cell(name) == shown


def test_every_column_is_shown_above() -> None:
    shown = test_what_a_cell_shows.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert [name for name, _ in shown] == list(COLUMNS)


@pytest.mark.parametrize("name", COLUMNS)
def test_what_is_not_known_is_a_dash_and_no_error(name: str) -> None:
    nothing = row(estimate=None, threshold=None, bound=None, workers="-", advice="", interference=Interference())
    assert COLUMNS[name].cell(nothing)
    bare = {key: nothing.expectation[key] for key in ("marker", "arguments", "verdict", "reason", "estimate")}
    old = Row({"nodeid": "a"}, {**bare, "threshold": None, "rounds": 0, "seconds": 0.0})
    assert isinstance(COLUMNS[name].cell(old), str)
    assert sorted(map(id, columns.ordered([old, nothing], name))) == sorted([id(old), id(nothing)])


def test_the_efficiency_of_a_curve_is_its_lowest() -> None:
    assert cell("efficiency", curve=CURVE) == "60%"
    assert cell("efficiency", claim="waiting") == "-"


def test_names_are_read_with_spaces_and_once() -> None:
    assert columns.parse_columns(" figure, cpu ,figure") == ("figure", "cpu")


@pytest.mark.parametrize("value", ["speed", "test,speed", "Test"])
def test_an_unknown_column_is_named_with_those_that_there_are(value: str) -> None:
    with pytest.raises(ValueError, match=r"there is no column '(speed|Test)'") as raised:
        columns.parse_columns(value)
    assert str(raised.value).endswith(", ".join(COLUMNS))


def test_an_unknown_order_is_named_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="there is no column '-speed'") as raised:
        columns.parse_sort("-speed")
    assert ", ".join(COLUMNS) in str(raised.value)
    assert columns.parse_sort("-time") == "-time"


ROWS = [
    row("b", seconds=2.0, estimate=Estimate(2.0, 1.9, 2.1)),
    row("c", seconds=11.0, verdict="not_met", estimate=None),
    row("a", seconds=0.5, verdict="undecided", estimate=Estimate(3.0, 2.9, 3.1)),
]


@pytest.mark.parametrize(
    ("by", "order"),
    [("", "bca"), ("test", "abc"), ("-test", "cba"), ("time", "abc"), ("-time", "cba"), ("verdict", "cab")],
)
def test_rows_are_sorted_by_value_not_by_text(by: str, order: str) -> None:
    assert "".join(found.nodeid for found in columns.ordered(ROWS, by)) == order


def test_without_a_figure_last_in_both_orders() -> None:
    assert [found.nodeid for found in columns.ordered(ROWS, "figure")] == ["b", "a", "c"]
    assert [found.nodeid for found in columns.ordered(ROWS, "-figure")] == ["a", "b", "c"]


def test_the_tally_counts_each_verdict() -> None:
    assert tally(ROWS) == "3 verdicts: 1 met, 1 not met, 1 undecided"
    assert tally([]) == "0 verdicts: no test measured anything"


def test_row_takes_what_to_try_from_the_finding_and_never_from_the_text() -> None:
    found = row(verdict="not_met", reason="x is not met: slow.\n\nTry:   something else")
    assert found.try_next == "remove the lock."
    assert found.headline.startswith("4 threads were 1.00x as fast as 1 thread")
    assert found.place == "test_shop.py:10 in fetch: with LOCK:"
    bare = row(verdict="not_met", reason="slow\nas ever", finding=None)
    assert (bare.headline, bare.try_next, bare.more) == ("slow as ever", "", "")


def test_row_links_to_the_documentation_and_nowhere_else() -> None:
    record_ = record.record_of("a", [outcome(verdict="not_met")])
    finding = record_["expectations"][0]["finding"]
    finding["more"] = "javascript:alert(1)"
    (found,) = rows_of([record_])
    assert found.more.endswith("/page/serialized/")
    finding["kind"] = "x)](javascript:alert(1)"
    assert found.more == ""


def test_a_bound_type_alone_says_nothing_of_gil_use() -> None:
    assert cell("required", claim="GIL", arguments={"gil": "held"}, bound=Bound("cpu", 1, 0, "held")) == "GIL held"


@pytest.mark.parametrize(
    ("nodeid", "name"),
    [("a/b.py::T::test_x[1]", "test_x[1]"), ("a.py::test_x[a::b]", "test_x[a::b]"), ("test_x", "test_x")],
)
def test_the_name_of_a_test(nodeid: str, name: str) -> None:
    assert name_of(nodeid) == name


def test_shortening_keeps_both_ends() -> None:
    assert shorten("abcdefghij", 10) == "abcdefghij"
    assert shorten("abcdefghijk", 10) == "abcd..hijk"
