"""The survey's section in pytest's summary."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pytest_concurrency.core.text import in_lines, printable
from pytest_concurrency.reports import survey_view
from pytest_concurrency.reports.text_table import table

_SHOWN = 5  # rows of each list
_NUMBERS = (1, 2, 3, 4, 5)


def show(reporter: Any, survey: Mapping[str, Any]) -> None:
    """Write the section through pytest's own terminal reporter."""
    reporter.ensure_newline()
    reporter.section("concurrency: survey", sep="=")
    for line, is_bold in lines_of(survey, reporter._tw.fullwidth if hasattr(reporter, "_tw") else 80):
        reporter.write_line(line, **({"bold": True} if is_bold else {}))


def lines_of(survey: Mapping[str, Any], width: int) -> Iterator[tuple[str, bool]]:
    """Yield the lines, and whether each is a heading."""
    view = survey_view.view_of(survey, _SHOWN)
    yield from _wrapped(view.headline, width)
    if view.parts:
        yield "", False
        yield from _table(survey_view.PART_HEADS, view.parts, width, _NUMBERS)
    for head, rows in (("what waits", view.waits), ("what computes", view.computes)):
        if rows:
            yield "", False
            yield from _table((head, *survey_view.LIST_HEADS), rows, width, (1, 2))
    if view.blocks:
        yield "", False
        yield from _table(survey_view.BLOCK_HEADS, view.blocks, width, _NUMBERS)
    if view.markers:
        yield "", False
        yield "tests worth a marker", True
        for marker in view.markers:
            yield printable(marker.nodeid), False
            yield from _wrapped(marker.why, width, "  ")
            yield f"  {marker.marker}", False
    if view.xdist:
        yield "", False
        yield "what pytest-xdist would bring", True
        yield from _wrapped(view.xdist, width)
    if view.notes:
        yield "", False
    for note in view.notes:
        yield from _wrapped(note, width)
    yield f"More: {survey_view.MORE}", False


def _table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], width: int, right: Collection[int]
) -> Iterator[tuple[str, bool]]:
    for number, line in enumerate(table(heads, rows, width, right)):
        yield line, number == 0


def _wrapped(text: str, width: int, indent: str = "") -> Iterator[tuple[str, bool]]:
    for line in in_lines(printable(text), max(40, width), indent):
        yield line, False
