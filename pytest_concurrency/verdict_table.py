"""The table of all verdicts in pytest's summary, laid out for the terminal at hand (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from pytest_concurrency.columns import COLUMNS, DEFAULT
from pytest_concurrency.rows import Row, name_of, shorten

# What a narrow terminal loses, in this order, before names of tests are cut short: it can be read elsewhere.
_LESS = ({"rounds": None}, {"workers": None}, {"time": None}, {"needed": None}, {"figure": "value"})
_NAME = 24  # as much of a name as is worth a column
_NARROWEST = 12
_INDENT = "  "


class Line(NamedTuple):
    """A line of the table: its head, a file's name, or the row of a verdict."""

    text: str
    row: Row | None = None


def lines_of(rows: Sequence[Row], chosen: Sequence[str], ordered: bool, width: int) -> Iterator[Line]:
    """Return the table's lines; whole test ids where they fit, else the tests of each file below its name.

    :param chosen: the columns asked for, which are all shown; none for the usual ones, as many as fit.
    :param ordered: rows stand in an order of their own, in which a file's tests may be apart.
    """
    names = list(chosen or DEFAULT)
    tests = {row.nodeid: row.nodeid for row in rows}
    grouped = False
    if "test" in names and _wide(rows, names, tests) > width:
        grouped = names[0] == "test" and not ordered
        tests = {nodeid: _INDENT + _in_file(nodeid) if grouped else name_of(nodeid) for nodeid in tests}
        if not chosen:
            names = _fitting(rows, names, tests, width)
        room = width - _wide(rows, names, dict.fromkeys(tests, ""))
        tests = {nodeid: shorten(test, max(_NARROWEST, room + len("test"))) for nodeid, test in tests.items()}
    cells = [_cells(row, names, tests) for row in rows]
    widths = _widths(names, cells)
    # Made once: a table may have thousands of rows.
    form = "  ".join(f"{{{at}:{'>' if COLUMNS[name].right else '<'}{widths[at]}}}" for at, name in enumerate(names))
    yield Line(form.format(*names).rstrip())
    for file, together in groupby(zip(rows, cells, strict=True), key=lambda each: _file(each[0].nodeid)):
        if grouped:
            yield Line(shorten(file, width))
        for row, line in together:
            yield Line(form.format(*line).rstrip(), row)


def _fitting(rows: Sequence[Row], names: list[str], tests: dict[str, str], width: int) -> list[str]:
    """Return the columns that leave room for the names, or the fewest there can be."""
    short = {nodeid: test[: _NAME + len(_INDENT)] for nodeid, test in tests.items()}
    for less in _LESS:
        if _wide(rows, names, short) <= width:
            break
        names = [kept for name in names if (kept := less.get(name, name)) is not None]
    return names


def _cells(row: Row, names: Sequence[str], tests: dict[str, str]) -> list[str]:
    return [tests[row.nodeid] if name == "test" else COLUMNS[name].cell(row) for name in names]


def _widths(names: Sequence[str], cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(names, *cells, strict=True)]


def _wide(rows: Sequence[Row], names: Sequence[str], tests: dict[str, str]) -> int:
    return sum(_widths(names, [_cells(row, names, tests) for row in rows])) + 2 * (len(names) - 1)


def _file(nodeid: str) -> str:
    return nodeid.partition("[")[0].partition("::")[0]


def _in_file(nodeid: str) -> str:
    """``TestShop::test_fetch[a]``; what has no file keeps its name."""
    return nodeid[len(_file(nodeid)) :].removeprefix("::") or nodeid
