"""The parts of the documentation's page that are made of the data.

The prose is written by hand, in ``docs/reference/observatory.md``. What stands there between ``<!-- begin NAME -->``
and ``<!-- end NAME -->`` is replaced.
"""

from __future__ import annotations

import re
import statistics
import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from observatory import cells, picture, registry
from observatory.cells import Row
from observatory.registry import STANDARD, Call
from pytest_concurrency.core.units import count, number
from pytest_concurrency.machine.cpus import describe_environment

ROOT = Path(__file__).parents[2]
DATA = ROOT / "benchmarks" / "results" / "observatory.jsonl"
PAGE = ROOT / "docs" / "reference" / "observatory.md"
PICTURE = ROOT / "docs" / "pictures" / "observatory.svg"
_WIDTH = 116
_BUSY = 0.1  # part of the CPUs from which other programs are worth a warning
_HEADS = ("call", "GIL", "2 threads", "2 processes", "longest hold", "others wait", "one call", "bound type")


def write(rows: Sequence[Row]) -> None:
    calls = registry.load()
    PAGE.write_text(rendered(PAGE.read_text(encoding="utf-8"), rows, calls), encoding="utf-8")
    PICTURE.write_text(picture.drawn(rows), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)} and {PICTURE.relative_to(ROOT)}")


def rendered(page: str, rows: Sequence[Row], calls: dict[str, Call]) -> str:
    """Return the page with the parts that are made of the rows."""
    parts: dict[str, Callable[[Sequence[Row], dict[str, Call]], str]] = {
        "summary": _summary,
        "table": _table,
        "versions": _versions,
        "notes": _notes,
    }
    for name, make in parts.items():
        pattern = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        part = f"\n{make(rows, calls)}\n\n"
        page, found = pattern.subn(lambda match, part=part: match[1] + part + match[2], page)  # type: ignore[misc]
        if found != 1:
            raise ValueError(f"{PAGE.name} has {count(found, 'place')} for {name}, and needs one")
    return page


def _summary(rows: Sequence[Row], calls: dict[str, Call]) -> str:
    measured = [row for row in rows if cells.measured(row)]
    found = Counter(cells.gil(row) for row in measured)
    parts = [f"{found[words]} {said}" for words, said in _SAID.items() if found[words]]
    machine = measured[0]["environment"]
    days = sorted({row["measured"] for row in measured})
    when = days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    where = f"Measured on {describe_environment(machine)} ({machine['machine']}, {machine['processor']}), {when}."
    paragraphs = (
        f"Of {count(len(measured), 'call')}, {_listed(parts)}.",
        where + _busy(measured, machine["cpus_usable"]),
    )
    return "\n\n".join(textwrap.fill(text, _WIDTH) for text in paragraphs)


def _busy(measured: Sequence[Row], cpus: float) -> str:
    """Warn the reader of figures that other programs have spoilt."""
    others = statistics.median(row["others"] or 0.0 for row in measured)
    if others < _BUSY * cpus:
        return ""
    return (
        f" Other programs kept {number(round(others, 1))} of the {number(cpus)} CPUs busy: figures are rough, some "
        "intervals are too narrow, and the GIL is often unclear."
    )


_SAID = {
    "released": "release the GIL while they compute",
    "released briefly": "release it so briefly that threads gain nothing",
    "held": "hold it",
    "it waits": "do nothing but wait",
    "unclear": "are unclear",
    "no GIL": "ran in an interpreter without a GIL",
}


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def _table(rows: Sequence[Row], calls: dict[str, Call]) -> str:
    lines = [":::{table}", ":class: sortable", "", _line(_HEADS), "|---|---|---|---|--:|--:|--:|---|"]
    lines += [_line(_cells(row, calls[row["name"]])) for row in rows]
    return "\n".join([*lines, ":::"])


def _cells(row: Row, call: Call) -> tuple[str, ...]:
    mark = f"[^{_slug(call)}]" if call.note else ""
    name = f"**{call.name}**{mark}<br>{call.work}"
    if not cells.measured(row):
        return name, cells.problem(row), *[""] * (len(_HEADS) - 2)
    sides = (cells.speedup(row, "threads"), cells.speedup(row, "processes"))
    times = (cells.seconds(row, "hold"), cells.seconds(row, "wait"), cells.one_call(row))
    return (
        name,
        _unbroken(cells.gil(row)),
        *map(_in_two_lines, sides),
        *map(_unbroken, times),
        row["bound"]["kind"],
    )


def _unbroken(text: str) -> str:
    """Keep a figure and its unit in one line of a narrow column."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _in_two_lines(speedup: str) -> str:
    """The interval below its figure; a reason why there is no figure stays as it is."""
    figure, bracket, rest = speedup.partition(" [")
    return f"{figure}<br>{_unbroken(bracket.strip() + rest)}" if bracket and rest.endswith("]") else speedup


def _line(line: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |"


def _notes(rows: Sequence[Row], calls: dict[str, Call]) -> str:
    noted = [calls[row["name"]] for row in rows if calls[row["name"]].note]
    return "\n".join(f"[^{_slug(call)}]: {call.note}" for call in noted)


def _slug(call: Call) -> str:
    return call.__name__.replace("_", "-")


def _versions(rows: Sequence[Row], calls: dict[str, Call]) -> str:
    found: dict[str, str] = {}
    for row in rows:
        found |= row["versions"]
    python = rows[0]["environment"]
    named = [f"{python['implementation']} {python['python']} ({STANDARD})"]
    named += [f"{name} {version}" for name, version in sorted(found.items(), key=lambda item: item[0].lower())]
    return textwrap.fill(f"{', '.join(named)}.", _WIDTH, break_on_hyphens=False)
