"""Check whether this machine can run concurrency tests, and with how many CPUs.

The exit status is 0 if it can, and 1 if it cannot at the moment.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from pytest_concurrency.cli import console
from pytest_concurrency.cli.commands import time_of
from pytest_concurrency.doctor import fitness
from pytest_concurrency.doctor.checks import examine
from pytest_concurrency.doctor.fitness import Checkup, Line
from pytest_concurrency.machine.cpus import environment
from pytest_concurrency.runs.record import SCHEMA

SUMMARY = "check whether this machine is suitable for concurrency tests"
_COLORS = {"ok": "green", "note": "yellow", "bad": "red"}
_LABELS = 16  # columns


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seconds", type=time_of, default=3.0, metavar="TIME", help="how long to watch what other programs do [3]"
    )
    parser.add_argument(
        "--cpus", type=_cpus, default=1, metavar="N", help="exit with 1 if fewer than N CPUs are really available [1]"
    )
    parser.add_argument(
        "--max-time", type=time_of, default=10.0, metavar="TIME", help="longest time for each trial [10s]"
    )
    parser.add_argument("--json", metavar="PATH", help="also write everything to a file")


def run(arguments: argparse.Namespace) -> int:
    if arguments.json:
        console.check_writable(arguments.json, "--json")
    with console.progress_line() as show:
        found = examine(arguments.seconds, arguments.max_time, show)
    print(text_of(found, arguments.cpus))
    if arguments.json:
        console.write_json(arguments.json, json_of(found, arguments.cpus))
    return 0 if fitness.fit(found, arguments.cpus) else 1


def text_of(found: Checkup, wanted: int) -> str:
    """Return the text that the command prints."""
    rows = "\n".join(_row(line) for line in fitness.lines(found))
    color = "green" if fitness.fit(found, wanted) else "red"
    return f"{rows}\n\n{console.paint(console.wrap(fitness.answer(found, wanted)), color)}"


def _row(line: Line) -> str:
    head, *rest = console.wrap(
        line.text, " " * (_LABELS + 7), f"{line.mark.ljust(5)}{line.label.ljust(_LABELS)}  "
    ).splitlines()
    head = console.paint(line.mark.ljust(5), _COLORS[line.mark]) + head[5:]
    return "\n".join([head, *rest])


def json_of(found: Checkup, wanted: int) -> dict[str, Any]:
    """Return the document that ``--json`` writes."""
    missing = [f"{name}: {why}" for name, why in found.readings.items() if why]
    return {
        "schema": SCHEMA,
        "environment": environment(missing),
        "doctor": {
            "fit": fitness.fit(found, wanted),
            "gates_up_to_cpus": fitness.delivered(found),
            "answer": fitness.answer(found, wanted),
            "checks": [asdict(line) for line in fitness.lines(found)],
            "readings": asdict(found),
        },
    }


def _cpus(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of CPUs")
    return number
