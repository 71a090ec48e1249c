"""The section in pytest's summary: a line per verdict that is not met, a tally, the table on request."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pytest_concurrency.explain import curve, figure
from pytest_concurrency.machine import describe
from pytest_concurrency.model import Estimate, Point
from pytest_concurrency.options import Settings
from pytest_concurrency.units import count, duration, number, share

_ORDER = ("broken", "undecided", "unmeasurable", "met")
_COLORS = {"met": "green", "broken": "red", "undecided": "yellow", "unmeasurable": "yellow"}
_HEADS = ("test", "verdict", "expects", "figure", "needed", "bound", "workers", "rounds", "time")
# Narrow terminals lose first what can be read elsewhere, then the front of long test ids.
_DISPENSABLE = tuple(map(_HEADS.index, ("rounds", "workers", "time", "needed")))
_RIGHT = tuple(map(_HEADS.index, ("rounds", "time")))
_NARROWEST_TEST = 12


class Row(NamedTuple):
    """One verdict, as the table shows it."""

    verdict: str
    cells: tuple[str, ...]
    reason: str
    nodeid: str
    advice: str
    hint: str


def show(reporter: Any, records: Sequence[Mapping[str, Any]], settings: Settings) -> None:
    """Write the section through pytest's own terminal reporter."""
    rows = [_row(record, expectation) for record in records for expectation in record["expectations"]]
    notable = [row for row in rows if row.verdict != "met"]
    if not settings.full_report and not notable and reporter.verbosity < 0:
        return
    width = reporter._tw.fullwidth if hasattr(reporter, "_tw") else 80
    reporter.ensure_newline()
    reporter.section("concurrency", sep="=")
    if settings.full_report:
        if not reporter.config.getoption("no_header", False):
            reporter.write_line(describe())
        _table(reporter, rows, width)
        _recommendations(reporter, rows, width)
        _hints(reporter, rows, width)
        _curves(reporter, records)
    for row in sorted(notable, key=lambda row: _ORDER.index(row.verdict)):
        if not settings.full_report or row.verdict != "broken":
            _line(reporter, row, width)
    if rows or settings.full_report:
        reporter.write_line(tally(rows))
    _disturbed(reporter, records, width)


def tally(rows: Sequence[Row]) -> str:
    """``12 verdicts: 10 met, 1 broken, 1 undecided``."""
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in ("met", *_ORDER[:-1])}
    parts = [f"{amount} {verdict}" for verdict, amount in counts.items() if amount]
    return f"{count(len(rows), 'verdict')}" + (f": {', '.join(parts)}" if parts else ": no test measured anything")


def _row(record: Mapping[str, Any], expectation: Mapping[str, Any]) -> Row:
    return Row(
        expectation["verdict"],
        (
            record["nodeid"],
            expectation["verdict"],
            expectation["marker"].removeprefix("expect_"),
            _figure(expectation["estimate"]),
            _needed(expectation),
            expectation["bound"] or "-",
            expectation["workers"],
            str(expectation["rounds"]),
            duration(expectation["seconds"]),
        ),
        expectation["reason"],
        record["nodeid"],
        expectation["advice"],
        expectation["hint"],
    )


def _figure(estimate: Mapping[str, Any] | None) -> str:
    if estimate is None:
        return "-"
    return figure(Estimate(**estimate)).replace(" to ", ", ")


def _needed(expectation: Mapping[str, Any]) -> str:
    threshold, claim = expectation["threshold"], expectation["claim"]
    if threshold is None or claim == "GIL":
        use = expectation["arguments"].get("gil")
        return f"GIL {use}" if use else "-"
    if claim.startswith("longest"):
        return f"<= {duration(threshold)}"
    if claim == "overlap":
        return "overlap"
    sign = expectation["comparison"]
    return f"{sign} {share(threshold)}" if claim in ("waiting", "computing") else f"{sign} {number(threshold)}x"


def _table(reporter: Any, rows: Sequence[Row], width: int) -> None:
    if not rows:
        return
    widths = [max(len(head), *(len(row.cells[column]) for row in rows)) for column, head in enumerate(_HEADS)]
    columns = list(range(len(_HEADS)))
    for dispensable in _DISPENSABLE:
        if _total(widths, columns) - widths[0] + min(widths[0], 28) <= width:
            break
        columns.remove(dispensable)
    widths[0] = max(_NARROWEST_TEST, min(widths[0], width - (_total(widths, columns) - widths[0])))
    reporter.write_line(_cells(_HEADS, widths, columns).rstrip(), bold=True)
    for row in rows:
        cells = (_shorten(row.cells[0], widths[0]), *row.cells[1:])
        reporter.write_line(_cells(cells, widths, columns).rstrip(), **{_COLORS[row.verdict]: True})


def _total(widths: Sequence[int], columns: Sequence[int]) -> int:
    return sum(widths[column] for column in columns) + 2 * (len(columns) - 1)


def _cells(cells: Sequence[str], widths: Sequence[int], columns: Sequence[int]) -> str:
    return "  ".join(
        cells[column].rjust(widths[column]) if column in _RIGHT else cells[column].ljust(widths[column])
        for column in columns
    )


def _shorten(text: str, width: int) -> str:
    """Leave out first the file, then the middle of a name: its beginning says what, its end which one."""
    if len(text) <= width:
        return text
    name = _name(text)
    if len(name) <= width:
        return name
    front = (width - 2) // 2
    return name[:front] + ".." + name[-(width - 2 - front) :]


def _hints(reporter: Any, rows: Sequence[Row], width: int) -> None:
    hints = [row for row in rows if row.hint]
    if not hints:
        return
    reporter.write_line("thresholds to look at:", bold=True)
    for row in hints:
        for line in textwrap.wrap(f"{_name(row.nodeid)}: {row.hint}", width - 2, subsequent_indent="  "):
            reporter.write_line(f"  {line}")
    reporter.write_line("")


def _curves(reporter: Any, records: Sequence[Mapping[str, Any]]) -> None:
    for record in records:
        for expectation in record["expectations"]:
            if points := [_point(point) for point in expectation.get("curve", [])]:
                backend = expectation["workers"].partition(" ")[2]
                reporter.write_line(f"scaling of {_name(record['nodeid'])} in {backend}:", bold=True)
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
    longest = min(max(len(_name(nodeid)) for nodeid in advice), max(_NARROWEST_TEST, width // 2))
    for nodeid, text in advice.items():
        name = _shorten(_name(nodeid), longest)
        lines = textwrap.wrap(text, max(20, width - longest - 4), break_on_hyphens=False)
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
            by_reason.setdefault(stay["reason"], []).append(_name(record["nodeid"]))
    for reason, names in by_reason.items():
        some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        text = f"{count(len(names), 'test')} measured without a quiet host ({some}): {reason}"
        for line in textwrap.wrap(text, width, subsequent_indent="  "):
            reporter.write_line(line)


def _name(nodeid: str) -> str:
    return nodeid.rpartition("::")[2]


def _line(reporter: Any, row: Row, width: int) -> None:
    _, _, expects, found, needed, *_ = row.cells
    text = f"{row.verdict.upper()} {row.nodeid} {expects} {found}"
    if needed != "-":
        text += f", needed {needed}"
    reporter.write_line(text, **{_COLORS[row.verdict]: True})
    if row.verdict != "broken":  # what broke is told in full where pytest shows failures
        for line in textwrap.wrap(row.reason, max(40, width - 2)):
            reporter.write_line(f"  {line}")
