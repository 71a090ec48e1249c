"""The table of all verdicts in pytest's summary, laid out for a terminal's width."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from pytest_concurrency.reports.columns import COLUMNS, DEFAULT
from pytest_concurrency.reports.rows import Row, shorten

# The columns that a narrow terminal omits, in this order, before names of tests are shortened. A column that is not
# None replaces the omitted one.
_LESS = {"rounds": None, "workers": None, "time": None, "figure": "value", "required": None}
_NAME = 23  # columns for a name; a longer one is put on a line above its row
_NARROWEST = 12
_INDENT = "  "

_Cells = dict[str, list[str]]  # the cells of each column, by its name


class Line(NamedTuple):
    """A line of the table: the head, a file's name, or a verdict."""

    text: str
    row: Row | None = None


def lines_of(rows: Sequence[Row], chosen: Sequence[str], ordered: bool, width: int) -> Iterator[Line]:
    """Return the lines of the table, with whole test ids if they fit, else with tests grouped by file.

    :param chosen: columns that were chosen, which are all shown; if empty, as many of the default columns as fit.
    :param ordered: the rows were sorted, so tests of one file may not be next to each other.
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
        # A shortened name could be mistaken for another one, so a name that does not fit is put on its own line.
        cells["test"] = [name if len(name) <= room else "" for name in names]
    # The format is made once, because a table may have thousands of rows.
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
    """Return the columns that leave room for the names; at least the columns that are never omitted."""
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
    """``TestShop::test_fetch[a]``; an id that is only a file is not changed."""
    return nodeid[len(_file(nodeid)) :].removeprefix("::") or nodeid
