"""The table of all verdicts in pytest's summary, laid out for the terminal at hand (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from pytest_concurrency.reports.columns import COLUMNS, DEFAULT
from pytest_concurrency.reports.rows import Row, shorten

# What a narrow terminal loses, in this order, before names of tests are cut short: it can be read elsewhere.
_LESS = {"rounds": None, "workers": None, "time": None, "figure": "value", "required": None}
_NAME = 23  # as much of a name as is worth a column
_NARROWEST = 12
_INDENT = "  "

_Cells = dict[str, list[str]]  # by column


class Line(NamedTuple):
    """A line of the table: its head, a file's name, or the row of a verdict."""

    text: str
    row: Row | None = None


def lines_of(rows: Sequence[Row], chosen: Sequence[str], ordered: bool, width: int) -> Iterator[Line]:
    """Return the table's lines; whole test ids where they fit, else the tests of each file below its name.

    :param chosen: the columns asked for, which are all shown; none for the usual ones, as many as fit.
    :param ordered: rows stand in an order of their own, in which a file's tests may be apart.
    """
    cells = {name: [COLUMNS[name].cell(row) for row in rows] for name in chosen or DEFAULT}
    grouped = False
    if "test" in cells and _total(_widths(cells)) > width:
        grouped = next(iter(cells)) == "test" and not ordered
        cells["test"] = [_INDENT + _in_file(row.nodeid) if grouped else row.name for row in rows]
        if not chosen:
            cells = _fitting(rows, cells, width)
    names = cells.get("test", [])
    room = max(_NARROWEST, width - _total({**_widths(cells), "test": 0}))
    if any(len(name) > room for name in names):
        # A name that is cut cannot be told from others: one that does not fit has a line of its own.
        cells["test"] = [name if len(name) <= room else "" for name in names]
    # Made once: a table may have thousands of rows.
    form = "  ".join(f"{{:{'>' if COLUMNS[name].right else '<'}{wide}}}" for name, wide in _widths(cells).items())
    yield Line(form.format(*cells).rstrip())
    whole = names or [""] * len(rows)
    lines = zip(rows, whole, zip(*cells.values(), strict=True), strict=True)
    for file, together in groupby(lines, key=lambda each: _file(each[0].nodeid)):
        if grouped:
            yield Line(shorten(file, width))
        for row, name, line in together:
            if len(name) > room:
                yield Line(shorten(name, width), row)
            yield Line(form.format(*line).rstrip(), row)


def _fitting(rows: Sequence[Row], cells: _Cells, width: int) -> _Cells:
    """Return the columns that leave room for the names, or the fewest there can be."""
    for name, instead in _LESS.items():
        widths = _widths(cells)
        if _total({**widths, "test": min(widths["test"], _NAME + len(_INDENT))}) <= width:
            break
        values = {} if instead is None else {instead: [COLUMNS[instead].cell(row) for row in rows]}
        parts = ({kept: column} if kept != name else values for kept, column in cells.items())
        cells = {kept: column for part in parts for kept, column in part.items()}
    return cells


def _widths(cells: _Cells) -> dict[str, int]:
    return {name: max(len(name), *map(len, column)) for name, column in cells.items()}


def _total(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + 2 * (len(widths) - 1)


def _file(nodeid: str) -> str:
    return nodeid.partition("[")[0].partition("::")[0]


def _in_file(nodeid: str) -> str:
    """``TestShop::test_fetch[a]``; what has no file keeps its name."""
    return nodeid[len(_file(nodeid)) :].removeprefix("::") or nodeid
