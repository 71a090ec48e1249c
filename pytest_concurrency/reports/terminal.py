"""The section in pytest's summary: a line per verdict that is not met, a tally, the table on request."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_concurrency import tracing
from pytest_concurrency.columns import COLUMNS, DEFAULT, ordered
from pytest_concurrency.explain import curve
from pytest_concurrency.machine import describe
from pytest_concurrency.model import Estimate, Point
from pytest_concurrency.options import Settings
from pytest_concurrency.rows import Row, name_of, rows_of, shorten, tally
from pytest_concurrency.units import count

_COLORS = {"met": "green", "broken": "red", "undecided": "yellow", "unmeasurable": "yellow"}
# Narrow terminals lose first what can be read elsewhere, then the front of long test ids.
_DISPENSABLE = ("rounds", "workers", "time", "needed")
_NARROWEST_TEST = 12


def show(
    reporter: Any,
    records: Sequence[Mapping[str, Any]],
    settings: Settings,
    complaints: Sequence[str] = (),
    missing_readings: Sequence[str] = (),
) -> None:
    """Write the section through pytest's own terminal reporter.

    :param complaints: what went wrong with report files, to be told last and in red.
    :param missing_readings: what cannot be read here, each with the reason; told in the full report's header.
    """
    rows = list(rows_of(records))
    notable = [row for row in rows if row.verdict != "met"]
    if not settings.full_report and not notable and not complaints and reporter.verbosity < 0:
        return
    width = reporter._tw.fullwidth if hasattr(reporter, "_tw") else 80
    reporter.ensure_newline()
    reporter.section("concurrency", sep="=")
    if settings.full_report:
        if not reporter.config.getoption("no_header", False):
            reporter.write_line(describe())
            if missing_readings:
                reporter.write_line(_filled(f"not readable on this machine: {'; '.join(missing_readings)}", width))
        if (remark := tracing.remark(records)) is not None:
            reporter.write_line(_filled(remark, width))
        _table(reporter, ordered(rows, settings.sort), settings.columns, width)
        _recommendations(reporter, rows, width)
        _hints(reporter, rows, width)
        _curves(reporter, records)
    for row in sorted(notable, key=lambda row: row.severity):
        if not settings.full_report or row.verdict != "broken" or row.of_fixture:
            _line(reporter, row, width)
    if rows or settings.full_report:
        reporter.write_line(tally(rows))
    for complaint in complaints:
        reporter.write_line(complaint, red=True)
    _disturbed(reporter, records, width)


def _filled(text: str, width: int) -> str:
    return textwrap.fill(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _table(reporter: Any, rows: Sequence[Row], chosen: Sequence[str], width: int) -> None:
    if not rows:
        return
    names = list(chosen or DEFAULT)
    cells = [[COLUMNS[name].cell(row) for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    shown = list(range(len(names)))
    test = names.index("test") if "test" in names else None
    if test is not None:
        if not chosen:
            for name in _DISPENSABLE:
                if _total(widths, shown) - widths[test] + min(widths[test], 28) <= width:
                    break
                shown.remove(names.index(name))
        widths[test] = max(_NARROWEST_TEST, min(widths[test], width - (_total(widths, shown) - widths[test])))
        for line in cells:
            line[test] = _shorten_id(line[test], widths[test])
    # Made once: a table may have thousands of rows.
    form = "  ".join(f"{{{at}:{'>' if COLUMNS[names[at]].right else '<'}{widths[at]}}}" for at in shown)
    reporter.write_line(form.format(*names).rstrip(), bold=True)
    for row, line in zip(rows, cells, strict=True):
        reporter.write_line(form.format(*line).rstrip(), **{_COLORS[row.verdict]: True})


def _total(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[column] for column in shown) + 2 * (len(shown) - 1)


def _shorten_id(nodeid: str, width: int) -> str:
    """Leave out first the file, then the middle of a name."""
    return nodeid if len(nodeid) <= width else shorten(name_of(nodeid), width)


def _hints(reporter: Any, rows: Sequence[Row], width: int) -> None:
    hints = [row for row in rows if row.hint]
    if not hints:
        return
    reporter.write_line("thresholds to look at:", bold=True)
    for row in hints:
        for line in textwrap.wrap(f"{row.name}: {row.hint}", width - 2, subsequent_indent="  "):
            reporter.write_line(f"  {line}")
    reporter.write_line("")


def _curves(reporter: Any, records: Sequence[Mapping[str, Any]]) -> None:
    for row in rows_of(records):
        if points := [_point(point) for point in row.curve]:
            backend = row.workers.partition(" ")[2]
            reporter.write_line(f"scaling of {row.name} in {backend}:", bold=True)
            for line in curve(points).splitlines():
                reporter.write_line(line)
            reporter.write_line("")


def _point(value: Mapping[str, Any]) -> Point:
    return Point(**{**value, "speedup": Estimate(**value["speedup"])})


def _recommendations(reporter: Any, rows: Sequence[Row], width: int) -> None:
    advice: dict[str, str] = {}
    for row in rows:
        if row.advice:
            advice.setdefault(row.nodeid, row.advice)
    if not advice:
        return
    reporter.write_line("")
    reporter.write_line("which tool for which test:", bold=True)
    longest = min(max(len(name_of(nodeid)) for nodeid in advice), max(_NARROWEST_TEST, width // 2))
    for nodeid, text in advice.items():
        name = shorten(name_of(nodeid), longest)
        lines = _wrapped(text, max(20, width - longest - 4))
        reporter.write_line(f"  {name.ljust(longest)}  {lines[0]}")
        for line in lines[1:]:
            reporter.write_line(f"  {' ' * longest}  {line}")
    reporter.write_line("")


def _disturbed(reporter: Any, records: Sequence[Mapping[str, Any]], width: int) -> None:
    """Say which tests had no quiet host, by the reason."""
    by_reason: dict[str, list[str]] = {}
    for record in records:
        stay = record.get("quiet_host")
        if stay is not None and not stay["alone"]:
            by_reason.setdefault(stay["reason"], []).append(name_of(record["nodeid"]))
    for reason, names in by_reason.items():
        some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        text = f"{count(len(names), 'test')} measured without a quiet host ({some}): {reason}"
        for line in textwrap.wrap(text, width, subsequent_indent="  "):
            reporter.write_line(line)


@functools.lru_cache(maxsize=256)
def _wrapped(text: str, width: int) -> tuple[str, ...]:
    """The same few recommendations stand beside thousands of tests."""
    return tuple(textwrap.wrap(text, width, break_on_hyphens=False))


def _line(reporter: Any, row: Row, width: int) -> None:
    text = f"{row.verdict.upper()} {row.nodeid} {row.expects} {row.figure}"
    if row.needed != "-":
        text += f", needed {row.needed}"
    reporter.write_line(text, **{_COLORS[row.verdict]: True})
    said = row.reason
    if row.verdict == "broken":
        # Told in full where pytest shows failures; but of a failed comparison it shows the first lines only.
        said = f"What to try: {row.what_to_try}" if row.of_fixture and row.what_to_try else ""
    for line in textwrap.wrap(said, max(40, width - 2)):
        reporter.write_line(f"  {line}")
