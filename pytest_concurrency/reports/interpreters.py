"""The same tests under two interpreters, for the terminal: a table of all tests and a list of changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_concurrency.core.units import count, figure, ratio
from pytest_concurrency.machine.cpus import gil_of
from pytest_concurrency.reports.changes import Line, below, lines_of, named, wrapped
from pytest_concurrency.reports.text_table import table
from pytest_concurrency.runs.interpreter_comparison import InterpreterComparison, Row
from pytest_concurrency.runs.run_comparison import Comparison

_MOST = 10  # tests that only one interpreter has
_LETTERS = ("A", "B")


def names_of(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[str, str]:
    """Return short names that distinguish two interpreters: ``3.12`` and ``3.14t``, or otherwise ``A`` and ``B``."""
    for parts in (2, 3):
        one, other = (_name(environment, parts) for environment in (first, second))
        if one != other:
            return one, other
    return _LETTERS


def _name(environment: Mapping[str, Any], parts: int) -> str:
    implementation = environment["implementation"]
    version = ".".join(str(environment["python"]).split(".")[:parts])
    threaded = "t" if environment.get("free_threaded_build") else ""
    gil = "+GIL" if threaded and environment["gil"] else ""
    return ("" if implementation == "CPython" else f"{implementation} ") + version + threaded + gil


def head_of(environments: Sequence[Mapping[str, Any]], paths: Sequence[str], width: int) -> list[Line]:
    """Return lines about the two interpreters (version, build, state of the GIL, path) and about the machine."""
    names = names_of(environments[0], environments[1])
    wide = max(map(len, names))
    lines: list[Line] = []
    for name, environment, path in zip(names, environments, paths, strict=True):
        what = f"{environment['implementation']} {environment['python']} {gil_of(environment)}"
        whole = f"{name:{wide}}  {what} ({path})"
        # A path that does not fit has a line of its own. A path that is broken over two lines could not be copied.
        lines += (
            [Line(whole)] if len(whole) <= width else [Line(f"{name:{wide}}  {what}"), Line(f"{'':{wide}}  {path}")]
        )
    cpus = environments[0]["cpus_usable"]
    lines.append(Line(f"{cpus:g} usable {'CPU' if cpus == 1 else 'CPUs'}, {environments[0]['system']}"))
    for name, environment in zip(names, environments, strict=True):
        if environment.get("free_threaded_build") and environment["gil"]:
            text = (
                f"{name} is a free-threaded build, and its GIL was on: an extension module switched it on, or "
                "PYTHON_GIL or -X gil did. Threads do not compute in parallel then. Python warns when it imports such "
                "a module."
            )
            lines += wrapped([Line(text, "yellow")], width)
    return [*lines, Line("")]


def lines_of_interpreters(
    found: InterpreterComparison, environments: Sequence[Mapping[str, Any]], width: int
) -> list[Line]:
    """Return the table of all tests, what has regressed, and a tally."""
    first, second = names_of(environments[0], environments[1])
    lines = [Line(line) for line in _table(found.rows, first, second, width)]
    if found.rows:
        text = (
            f"{first} and {second}: speedups. Last column: time of one call by one worker under {second}, relative to "
            f"{first}; above 1x, {second} is slower."
        )
        lines += [*wrapped([Line(text)], width), Line("")]
    for slow in sorted(found.slower, key=lambda slow: not slow.is_certain):
        word, color = ("REGRESSED", "red") if slow.is_certain else ("UNDECIDED", "yellow")
        lines += [named(word, slow.nodeid, color, width), *below(f"{slow.label}: {slow.text}", width)]
    lines += _only(found.only[0], first, second, width)
    lines += _only(found.only[1], second, first, width)
    return [*lines, *lines_of(Comparison(found.changes), width)]


def _table(rows: Sequence[Row], first: str, second: str, width: int) -> Iterator[str]:
    heads = ("test", "expects", first, second, f"1 worker, {second}/{first}")
    cells = [(row.nodeid, row.label, _speedup(row.first), _speedup(row.second), _time(row)) for row in rows]
    return table(heads, cells, width, right=(2, 3)) if rows else iter(())


def _speedup(found: Any) -> str:
    return "-" if found is None else ratio(found.value)


def _time(row: Row) -> str:
    if row.time is None:
        return "-"
    if row.time.interval is None:
        return f"{ratio(row.time.value)} [few rounds]"
    return figure(row.time.value, row.time.interval.low, row.time.interval.high, "ratio")


def _only(nodeids: Sequence[str], there: str, elsewhere: str, width: int) -> Iterator[Line]:
    """Yield lines about the tests that have figures under one interpreter (``there``), but none under the other."""
    for nodeid in nodeids[:_MOST]:
        yield named(f"ONLY {there}", nodeid, "yellow", width)
    if not nodeids:
        return
    if len(nodeids) > _MOST:
        yield Line(f"ONLY {there} and {len(nodeids) - _MOST} more", "yellow")
    text = (
        f"{count(len(nodeids), 'test')} measured nothing under {elsewhere}: failed with an error, skipped or not "
        f"collected there. Run pytest with {elsewhere} to see why."
    )
    yield from below(text, width)
