"""The columns of the terminal's table, which ``--concurrency-columns`` and ``--concurrency-sort`` name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pytest_concurrency.core.units import duration, number, share
from pytest_concurrency.reports.rows import Row, label_of

DEFAULT = ("test", "verdict", "expects", "figure", "required", "bound", "workers", "rounds", "time")
_Key = Callable[[Row], Any]


class Column(NamedTuple):
    """A column: its meaning, the text of its cells, the key to sort rows by (None is last), and its alignment."""

    meaning: str
    cell: Callable[[Row], str]
    key: _Key
    right: bool = False


def _bound(row: Row, name: str) -> Any:
    bound = row.record.get("bound")
    return None if bound is None else bound[name]


def _share(row: Row, name: str) -> str:
    value = _bound(row, name)
    return "-" if value is None else share(value)


def _efficiency(row: Row) -> float | None:
    curve = row.curve
    if curve:
        return float(min(point["efficiency"] for point in curve))
    if row.claim != "speedup" or row.value is None or not row.worker_count:
        return None
    return row.value / row.worker_count


def _foreign(row: Row) -> float | None:
    value: float | None = row.record.get("interference", {}).get("foreign")
    return value


def _optional(say: Callable[[float], str], value: float | None) -> str:
    return "-" if value is None else say(value)


def _cpus(value: float) -> str:
    return f"{value:.2f} CPUs"


def _estimate(row: Row) -> tuple[str, float] | None:
    """Return unit and value. Figures of different units are not comparable, so each unit is sorted separately."""
    return None if row.value is None else (row.expectation["estimate"]["unit"], row.value)


COLUMNS: dict[str, Column] = {
    "test": Column("the test's node id", lambda row: row.nodeid, lambda row: row.nodeid),
    "verdict": Column(
        "met, not met, undecided, unmeasurable", lambda row: label_of(row.verdict), lambda row: row.severity
    ),
    "expects": Column("the marker, without expect_", lambda row: row.expects, lambda row: row.expects),
    "marker": Column("the marker's whole name", lambda row: row.marker, lambda row: row.marker),
    "figure": Column("what was measured, with its interval", lambda row: row.figure, _estimate),
    "value": Column("what was measured", lambda row: row.bare_figure, _estimate, right=True),
    "interval": Column("its interval", lambda row: row.interval or "-", _estimate),
    "required": Column("the required figure", lambda row: row.required, lambda row: row.expectation["threshold"]),
    "threshold": Column(
        "the threshold alone", lambda row: row.threshold, lambda row: row.expectation["threshold"], right=True
    ),
    "bound": Column("the bound type", lambda row: row.bound or "-", lambda row: row.bound or None),
    "cpu": Column(
        "the body's share of computing",
        lambda row: _share(row, "cpu_share"),
        lambda row: _bound(row, "cpu_share"),
        right=True,
    ),
    "wait": Column(
        "the body's share of waiting",
        lambda row: _share(row, "wait_share"),
        lambda row: _bound(row, "wait_share"),
        right=True,
    ),
    "gil": Column(
        "held, released, disabled, unknown", lambda row: _bound(row, "gil") or "-", lambda r: _bound(r, "gil")
    ),
    "workers": Column("who works", lambda row: row.workers, lambda row: row.workers),
    "efficiency": Column(
        "speedup per worker; the lowest of a curve", lambda row: _optional(share, _efficiency(row)), _efficiency, True
    ),
    "rounds": Column(
        "rounds measured", lambda row: str(row.expectation["rounds"]), lambda row: row.expectation["rounds"], True
    ),
    "time": Column(
        "how long the verdict took",
        lambda row: duration(row.expectation["seconds"]),
        lambda row: row.expectation["seconds"],
        True,
    ),
    "seconds": Column(
        "the same as a bare number",
        lambda row: number(row.expectation["seconds"]),
        lambda r: r.expectation["seconds"],
        True,
    ),
    "interference": Column(
        "CPUs that other programs kept busy during the measurement",
        lambda row: _optional(_cpus, _foreign(row)),
        _foreign,
        right=True,
    ),
}


def parse_columns(value: object) -> tuple[str, ...]:
    """Return the columns named in text such as ``test,figure,cpu``.

    :raises ValueError: a name is unknown; the message lists the valid ones.
    """
    names = tuple(name.strip() for name in str(value).split(",") if name.strip())
    if unknown := [name for name in names if name not in COLUMNS]:
        raise ValueError(f"{_no_columns(unknown)}; the columns are {', '.join(COLUMNS)}")
    return tuple(dict.fromkeys(names))


def parse_sort(value: object) -> str:
    """Return a column's name, with ``-`` before it for the reverse order; empty for the order of the tests.

    :raises ValueError: the name is unknown; the message lists the valid ones.
    """
    name = str(value).strip()
    if name and name.removeprefix("-") not in COLUMNS:
        raise ValueError(f"{_no_columns([name])}; sort by one of {', '.join(COLUMNS)}, or by -NAME for the reverse")
    return name


def _no_columns(names: Sequence[str]) -> str:
    return f"there is no {'column' if len(names) == 1 else 'columns'} {', '.join(map(repr, names))}"


def ordered(rows: Sequence[Row], by: str) -> list[Row]:
    """Sort rows by a column. Rows without a value are last in either order; equal rows keep their order."""
    if not by:
        return list(rows)
    key = COLUMNS[by.removeprefix("-")].key
    known = [row for row in rows if key(row) is not None]
    unknown = [row for row in rows if key(row) is None]
    return sorted(known, key=key, reverse=by.startswith("-")) + unknown
