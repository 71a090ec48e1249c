"""The section in pytest's summary: verdicts that are not met, a tally, and on request the table."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_concurrency.core.outcomes import Estimate, Point
from pytest_concurrency.core.text import hanging, in_lines, printable, sentence
from pytest_concurrency.core.units import count
from pytest_concurrency.machine.cpus import describe
from pytest_concurrency.reports import verdict_table
from pytest_concurrency.reports.columns import ordered
from pytest_concurrency.reports.left_by_test import MORE, LeftByTest, headline_of, left_by_test
from pytest_concurrency.reports.rows import Row, amounts, known_fields, label_of, name_of, rows_of, shorten, tally
from pytest_concurrency.verdicts.curves import curve

_MOST_LEFT = 10  # tests that left something running, and leftovers of each, that are listed
_COLORS = {"met": "green", "not_met": "red", "undecided": "yellow", "unmeasurable": "yellow"}


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of the section: every verdict (``full``) or only the notable ones, the columns and the order."""

    full: bool
    columns: Sequence[str] = ()
    sort: str = ""
    priority: str = "ordinary"  # the priority that tests were measured at
    refused: str = ""  # why it is not the priority that was requested by name


def show(
    reporter: Any,
    records: Sequence[Mapping[str, Any]],
    layout: Layout,
    complaints: Sequence[str] = (),
    missing_readings: Sequence[str] = (),
) -> None:
    """Write the section through pytest's own terminal reporter.

    :param complaints: errors of report files, shown last and in red.
    :param missing_readings: readings that this machine does not have, each with the reason, for the full report.
    """
    rows = list(rows_of(records))
    notable = [row for row in rows if row.verdict != "met"]
    left = left_by_test(rows)
    if not layout.full and not notable and not complaints and not left and reporter.verbosity < 0:
        return
    width = reporter._tw.fullwidth if hasattr(reporter, "_tw") else 80
    reporter.ensure_newline()
    reporter.section("concurrency", sep="=")
    if layout.full:
        if not reporter.config.getoption("no_header", False):
            _head(reporter, layout, missing_readings, width)
        if (remark := traced_by(records)) is not None:
            reporter.write_line(_filled(remark, width))
        _table(reporter, rows, layout, width)
        _recommendations(reporter, rows, width)
        _hints(reporter, rows, width)
        _curves(reporter, records)
    shows_failures = reporter.config.getoption("tbstyle", "auto") != "no"  # each with its message
    for row in sorted(notable, key=lambda row: row.severity):
        if not (layout.full and shows_failures) or row.verdict != "not_met" or row.of_fixture:
            _line(reporter, row, width)
    _left_running(reporter, left, width)
    if rows or layout.full:
        reporter.write_line(tally(rows))
    for complaint in complaints:
        reporter.write_line(complaint, red=True)
    _measured_again(reporter, records, width)
    _disturbed(reporter, records, width)


def _head(reporter: Any, layout: Layout, missing_readings: Sequence[str], width: int) -> None:
    reporter.write_line(describe(layout.priority))
    if layout.refused:
        reporter.write_line(_filled(f"measured at {layout.priority} priority: {layout.refused}", width))
    if missing_readings:
        reporter.write_line(_filled(f"not readable on this machine: {'; '.join(missing_readings)}", width))


def _filled(text: str, width: int) -> str:
    return "\n".join(hanging(text, width, "  "))


def _table(reporter: Any, rows: Sequence[Row], layout: Layout, width: int) -> None:
    if not rows:
        return
    for line in verdict_table.lines_of(ordered(rows, layout.sort), layout.columns, bool(layout.sort), width):
        reporter.write_line(printable(line.text), **{_COLORS[line.row.verdict] if line.row else "bold": True})


def _hints(reporter: Any, rows: Sequence[Row], width: int) -> None:
    hints = [row for row in rows if row.hint and not row.is_regression]  # a lower threshold would hide what was lost
    if not hints:
        return
    reporter.write_line("thresholds to change:", bold=True)
    for row in hints:
        for line in textwrap.wrap(f"{row.name}: {row.hint}", width - 2, subsequent_indent="  "):
            reporter.write_line(f"  {line}")
    reporter.write_line("")


def _curves(reporter: Any, records: Sequence[Mapping[str, Any]]) -> None:
    for row in rows_of(records):
        # The failure message of a test that is not met already contains the curve.
        if row.verdict != "not_met" and (points := [_point(point) for point in row.curve]):
            where = "with a pool of its own" if row.backend == "pool" else f"in {row.backend}"
            reporter.write_line(f"scaling of {row.name} {where}:", bold=True)
            for line in curve(points).splitlines():
                reporter.write_line(line)
            reporter.write_line("")


def _point(value: Mapping[str, Any]) -> Point:
    return known_fields(Point, {**value, "speedup": known_fields(Estimate, value["speedup"])})


def _recommendations(reporter: Any, rows: Sequence[Row], width: int) -> None:
    """Write each recommendation once, with its tests."""
    best: dict[str, Row] = {}
    for row in rows:
        if row.advice and (row.nodeid not in best or _knows(row) > _knows(best[row.nodeid])):
            best[row.nodeid] = row
    if not best:
        return
    by_text: dict[str, list[str]] = {}
    for row in best.values():
        by_text.setdefault(row.advice, []).append(row.name)
    reporter.write_line("")
    reporter.write_line("which tool for which test:", bold=True)
    for text, names in by_text.items():
        reporter.write_line(_filled(f"  {text}", width))
        for line in _listed(names, width - 4):
            reporter.write_line(f"    {line}")
    reporter.write_line("")


def _knows(row: Row) -> int:
    """Rank verdicts by how much they show about a test: only several workers show whether waits overlap."""
    return (row.bound == "serialized") + (row.worker_count is not None)


def _listed(names: Sequence[str], width: int) -> Iterator[str]:
    """Yield lines with as many names as fit, separated by commas. A name is never broken."""
    line = ""
    for number, name in enumerate(names):
        name = shorten(name, width - 1) + ("," if number < len(names) - 1 else "")
        if line and len(line) + 1 + len(name) > width:
            yield line
            line = ""
        line += f" {name}" if line else name
    yield line


def _left_running(reporter: Any, tests: Sequence[LeftByTest], width: int) -> None:
    """List what the measured code of each test has left running."""
    if not tests:
        return
    reporter.write_line(headline_of(tests), bold=True)
    for test in tests[:_MOST_LEFT]:
        reporter.write_line(f"  {shorten(printable(test.nodeid), width - 2)}")
        for what, made_at in test.lines[:_MOST_LEFT]:
            for line in (
                *_below("  ", what, width),
                *(_below("    ", f"started at {made_at}", width) if made_at else ()),
            ):
                reporter.write_line(line)
        if len(test.lines) > _MOST_LEFT:
            reporter.write_line(f"    ... and {len(test.lines) - _MOST_LEFT} more")
    if len(tests) > _MOST_LEFT:
        reporter.write_line(f"  ... and {count(len(tests) - _MOST_LEFT, 'more test', 'more tests')}")
    reporter.write_line(f"  More:  {MORE}")


def _disturbed(reporter: Any, records: Sequence[Mapping[str, Any]], width: int) -> None:
    """List the tests that had no exclusive host access, by reason."""
    by_reason: dict[str, list[str]] = {}
    for record in records:
        stay = record.get("quiet_host")
        if stay is not None and not stay["alone"]:
            by_reason.setdefault(stay["reason"], []).append(name_of(record["nodeid"]))
    for reason, names in by_reason.items():
        text = f"{count(len(names), 'test')} measured without exclusive host access ({_some(names)}): {reason}"
        for line in textwrap.wrap(text, width, subsequent_indent="  "):
            reporter.write_line(line)


def _measured_again(reporter: Any, records: Sequence[Mapping[str, Any]], width: int) -> None:
    """Write which tests were measured again because they were undecided, and how many have each verdict now."""
    if not (again := [record for record in records if record.get("first_attempt")]):
        return
    names = _some(name_of(record["nodeid"]) for record in again)
    text = f"{count(len(again), 'undecided test')} measured again at the end of the session ({names})"
    reporter.write_line(_filled(f"{text}: now {amounts(list(rows_of(again)))}", width))


def _some(names: Iterable[str]) -> str:
    first, *rest = names
    return ", ".join([first, *rest[:2]]) + (", ..." if len(rest) > 2 else "")


def _line(reporter: Any, row: Row, width: int) -> None:
    found = row.measured + (f", required {row.required}" if row.required != "-" else "")
    test = f"{label_of(row.verdict).upper()} {printable(row.nodeid)}"
    for text in [f"{test} {found}"] if len(test) + 1 + len(found) <= width else [test, f"  {found}"]:
        reporter.write_line(text, **{_COLORS[row.verdict]: True})
    parts = [("", sentence(row.headline))] if row.verdict != "not_met" else [("Cause: ", row.cause)]
    parts.append(("Where: ", row.place))
    if row.verdict != "not_met" or row.of_fixture:
        # pytest shows the whole message of a marker, but may show only the first lines of a failed comparison.
        parts.append(("Try:   ", row.try_next))
    parts.append(("More:  ", row.more))
    for label, text in parts:
        for line in _below(label, text, max(40, width)) if text else ():
            reporter.write_line(line)


def _below(label: str, text: str, width: int) -> list[str]:
    first = f"  {label}"
    return in_lines(printable(text), width, " " * len(first), first)


def traced_by(records: Sequence[Mapping[str, Any]]) -> str | None:
    """Return a warning about tests that were traced while they were measured; None if none was."""
    traced = [record for record in records if record.get("traced_by")]
    if not traced:
        return None
    names = " and ".join(sorted({name for record in traced for name in record["traced_by"]}))
    return (
        f"traced by {names} ({count(len(traced), 'test')}): Python code computes more slowly than without, so its "
        "bound type and speedup may differ. Run regression checks without a tracer"
    )
