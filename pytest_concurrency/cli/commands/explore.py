"""Measure one function with threads, processes and asyncio, and show which makes it faster; no test is required.

The function is called many times, by one worker and by several, with every tool that can run it. So choose
a function that may be called often. The current folder is on sys.path, as with python -m.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pytest_concurrency.cli import console
from pytest_concurrency.cli.commands import time_of
from pytest_concurrency.core.errors import CommandError
from pytest_concurrency.core.text import bar
from pytest_concurrency.core.units import duration, ratio, share
from pytest_concurrency.expectations import keywords
from pytest_concurrency.expectations.base import Tolerances
from pytest_concurrency.explore import recommend, targets
from pytest_concurrency.explore.recommend import Side
from pytest_concurrency.explore.runner import Exploration, body_of, explore
from pytest_concurrency.machine.cpus import describe, environment
from pytest_concurrency.probes import availability
from pytest_concurrency.reports import files, formats
from pytest_concurrency.runs.record import SCHEMA
from pytest_concurrency.session.option_values import START_METHODS
from pytest_concurrency.verdicts import advice
from pytest_concurrency.verdicts.not_met import KINDS, figure

SUMMARY = "profile a function and compare threads, processes and asyncio"
_RAISED = 2
_PAGES = ("html", "markdown")
_FILES = ("json", *_PAGES)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="MODULE:FUNCTION", help="such as shop.web:fetch; a method as shop:Cart.total")
    parser.add_argument("--args", default="", metavar="LITERALS", help="its arguments, such as \"100, name='x'\"")
    parser.add_argument(
        "--workers",
        type=_workers,
        default=(),
        metavar="N[,N]",
        help="number of workers [4 if it waits, one for each usable CPU if it computes]",
    )
    parser.add_argument(
        "--max-time", type=time_of, default=10.0, metavar="TIME", help="longest time for each line of the table [10s]"
    )
    parser.add_argument(
        "--start-method",
        choices=START_METHODS,
        default="auto",
        help="how worker processes start [auto]",
    )
    parser.add_argument("--json", metavar="PATH", help="also write all figures to a JSON file")
    parser.add_argument("--html", metavar="PATH", help="also write an HTML page to show to others")
    parser.add_argument("--markdown", metavar="PATH", help="also write Markdown for the summary of a CI job")


def run(arguments: argparse.Namespace) -> int:
    positional, named = targets.arguments(arguments.args)
    _check(arguments)
    body = body_of(arguments.target, positional, named)
    limits = Tolerances(max_time=arguments.max_time)
    with console.progress_line() as show:
        found = explore(body, limits, arguments.start_method, arguments.workers, show)
    print(text_of(found, arguments.args))
    if any(getattr(arguments, name) for name in _FILES):
        _write(arguments, json_of(found, arguments.args))
    for side in found.sides:
        if side.traceback:
            print(f"\n{side.workers} {side.backend}: {side.reason}:\n\n{side.traceback}", file=sys.stderr)
    return _RAISED if found.failed else 0


def _check(arguments: argparse.Namespace) -> None:
    """Check before measuring whether every file can be written.

    :raises CommandError: one cannot be written, or would replace another one.
    """
    taken: dict[Path, str] = {}
    for name in _FILES:
        path = getattr(arguments, name)
        if not path:
            continue
        if name in _PAGES and (reason := formats.load(name).unavailable()):
            raise CommandError(f"--{name} {path} cannot be made: {reason} Nothing was measured.")
        console.check_writable(path, f"--{name}")
        if (other := taken.setdefault(Path(path).resolve(), name)) != name:
            raise CommandError(f"--{name} and --{other} both name {path}, and one would be lost: name two files")


def _write(arguments: argparse.Namespace, run: Mapping[str, Any]) -> None:
    if arguments.json:
        console.write_json(arguments.json, run)
    created = datetime.now(timezone.utc).isoformat(timespec="seconds")
    for name in _PAGES:
        path = getattr(arguments, name)
        if not path:
            continue
        try:
            files.write_text(Path(path), formats.load(name).render({"created": created, **run}, ()))
        except OSError as error:
            raise CommandError(f"--{name} {path} cannot be written: {error.strerror or error}") from None


def text_of(found: Exploration, arguments: str) -> str:
    """Return the text that the command prints."""
    best = recommend.best(found.sides)
    parts = [
        f"{console.paint(found.target, 'bold')}\n{console.wrap(describe())}",
        _labelled("bound", f"{KINDS[found.bound.kind]}: {found.bound.evidence}."),
        _table(found, best),
        _labelled("use", recommend.why(found.bound, best, found.sides)),
    ]
    parts += [_labelled("note", remark) for remark in _remarks(found)]
    if best is not None and (markers := _markers(found, best)):
        source = advice.source_of_test(found.target, arguments, markers, found.is_async)
        parts.append("To keep this speedup, paste this into a test file:")
        parts.append("\n".join(f"    {line}".rstrip() for line in source.splitlines()))
    elif best is not None and best.speedup is not None:
        low = ratio(best.speedup.low)
        parts.append(
            console.wrap(
                f"No test is suggested: the speedup may be as low as {low}, too close to 1x for a threshold. Run this "
                "again on a quieter machine, or give each call more work."
            )
        )
    return "\n\n".join(parts)


def _labelled(label: str, text: str) -> str:
    lines = console.wrap(text, " " * 7, label.ljust(7))
    return console.paint(label, "bold") + lines[len(label) :]


def _markers(found: Exploration, best: Side) -> list[str]:
    marker = recommend.marker(best, found.bound, found.cpus)
    if marker is None:
        return []
    kind = {"io": "@pytest.mark.expect_io_bound", "cpu": "@pytest.mark.expect_cpu_bound"}.get(found.bound.kind)
    return [*([kind] if kind else []), marker]


def _remarks(found: Exploration) -> list[str]:
    return recommend.remarks(found.bound, found.alone, found.sides, found.cpus, found.printed)


def _table(found: Exploration, best: Side | None) -> str:
    heads = ("", "speedup", "efficiency", "computing", "waiting")
    measured = [side for side in found.sides if side.speedup is not None]
    rows = [heads, ("serial", "", "", duration(found.alone.cpu), duration(found.alone.blocked)), *map(_row, measured)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    lines = [_cells(row, widths) for row in rows]
    lines[0] = console.paint(lines[0], "bold")
    if best is not None:
        place = 2 + measured.index(best)
        lines[place] = console.paint(lines[place], "green")
    others = [side for side in found.sides if side.speedup is None]
    lines += [console.wrap(f"{_who(side)}: {side.reason}", " " * 6, "  ") for side in others]
    return "\n".join(lines)


def _cells(row: tuple[str, ...], widths: list[int]) -> str:
    left = [cell.ljust(width) for cell, width in zip(row[:3], widths, strict=False)]
    right = [cell.rjust(width) for cell, width in zip(row[3:], widths[3:], strict=True)]
    return "  " + "  ".join([*left, *right]).rstrip()


def _row(side: Side) -> tuple[str, ...]:
    assert side.speedup is not None
    assert side.each is not None
    return (
        _who(side),
        figure(side.speedup),
        f"{share(side.efficiency).rjust(4)} {bar(side.efficiency)}",
        duration(side.each.cpu),
        duration(side.each.blocked),
    )


def _who(side: Side) -> str:
    return f"{side.workers} {side.backend}"


def json_of(found: Exploration, arguments: str) -> dict[str, Any]:
    """Return the document that ``--json`` writes: a run with one record without expectations, and the exploration."""
    best = recommend.best(found.sides)
    record = {
        "nodeid": found.target,
        "expectations": [],
        "bound": asdict(found.bound),
        "arms": [asdict(arm) for arm in found.arms],
        "interference": asdict(found.interference),
    }
    return {
        "schema": SCHEMA,
        "environment": environment(availability.reasons()),
        "records": [record],
        "exploration": {
            "target": found.target,
            "arguments": arguments,
            "async": found.is_async,
            "alone": asdict(found.alone),
            "sides": [_side_json(side) for side in found.sides],
            "use": best.backend if best else None,
            "why": recommend.why(found.bound, best, found.sides),
            "markers": _markers(found, best) if best else [],
            "remarks": _remarks(found),
        },
    }


def _side_json(side: Side) -> dict[str, Any]:
    return {name: value for name, value in asdict(side).items() if name != "traceback"}


def _workers(text: str) -> tuple[int, ...]:
    most = min(keywords.MOST_WORKERS.values())
    try:
        counts = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        counts = ()
    if not counts or not all(2 <= number <= most for number in counts):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of workers from 2 to {most}: write 4, or several as 2,4,8"
        )
    return counts
