"""Plain text tables that fit a terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from pytest_concurrency.core.text import printable
from pytest_concurrency.reports import rows

_NARROWEST = 12


def shorten(text: str, width: int) -> str:
    """Return one line of at most ``width`` columns, shortened in its middle.

    Names are not trusted, so characters that a terminal would not print as one column become question marks.
    """
    return rows.shorten(printable(text), width)


def table(
    heads: Sequence[str], lines: Sequence[Sequence[str]], width: int, right: Collection[int] = ()
) -> Iterator[str]:
    """Return the lines of a table. A name in the first column that does not fit is put on a line above its row.

    In its cell, it would be shortened so much that it could be mistaken for another name. Control characters, which a
    file may contain, become question marks.
    """
    rows_ = [[printable(cell) for cell in row] for row in (heads, *lines)]
    widths = [max(len(row[column]) for row in rows_) for column in range(len(heads))]
    room = max(_NARROWEST, width - sum(widths[1:]) - 2 * (len(heads) - 1))
    widths[0] = max(len(row[0]) for row in rows_ if len(row[0]) <= room)
    for name, *cells in rows_:
        if len(name) > room:
            yield shorten(name, width)
            name = ""
        yield "  ".join(
            cell.rjust(wide) if column in right else cell.ljust(wide)
            for column, (cell, wide) in enumerate(zip([name, *cells], widths, strict=True))
        ).rstrip()
