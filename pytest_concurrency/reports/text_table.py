"""Plain text tables that fit a terminal (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from pytest_concurrency.reports import rows

_NARROWEST = 12


def shorten(text: str, width: int) -> str:
    """One line of at most ``width``: the beginning says what, the end which one.

    What a terminal would not print as one character becomes a question mark: names are not trusted.
    """
    return rows.shorten("".join(char if char.isprintable() else "?" for char in text), width)


def table(
    heads: Sequence[str], lines: Sequence[Sequence[str]], width: int, elastic: int, right: Collection[int] = ()
) -> Iterator[str]:
    """Return the lines of a table; where it is too wide, the column ``elastic`` gives way."""
    widths = [max(len(row[column]) for row in (heads, *lines)) for column in range(len(heads))]
    others = sum(widths) - widths[elastic] + 2 * (len(heads) - 1)
    widths[elastic] = max(_NARROWEST, min(widths[elastic], width - others))
    for row in (heads, *lines):
        cells = [
            shorten(cell, wide) if column == elastic else cell
            for column, (cell, wide) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(
            cell.rjust(wide) if column in right else cell.ljust(wide)
            for column, (cell, wide) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
