"""Measure the tests of one project under two interpreters, in turns on this machine.

PYTHON_A and PYTHON_B are paths, names on PATH such as python3.14t, or commands such as 'python3.14t -X gil=1'. Sessions
run one after the other: A, B, B, A and so on. So background load affects both equally. The result has the speedups of
both, and the time that one worker takes under B relative to A. What follows -- goes to pytest.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path

from pytest_concurrency.cli import console, interpreters, sessions
from pytest_concurrency.cli.commands import add_fail, limits_of, terminal_width
from pytest_concurrency.core.errors import CommandError
from pytest_concurrency.reports.interpreters import head_of, lines_of_interpreters
from pytest_concurrency.runs import allowed_loss
from pytest_concurrency.runs.interpreter_comparison import compare

SUMMARY = "measure one project under two interpreters side by side"
TAKES_REST = True
_SETUP = (
    "shell command that makes an environment, run once for each interpreter; {python} stands for the interpreter, "
    "{venv} for a new folder, whose interpreter is used if it has one"
)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", metavar="PYTHON_A", help="the first interpreter, which is the baseline")
    parser.add_argument("second", metavar="PYTHON_B", help="the second interpreter, which --fail is about")
    add_fail(
        parser,
        default=str(allowed_loss.DEFAULT[0]),
        text="exit with 1 if B has certainly lost more: speedup:10%%, efficiency:0.1, or single:10%% (one worker takes "
        "10%% longer); may be repeated",
    )
    sessions.add_options(parser, "interpreter")
    parser.add_argument("--path", type=Path, default=Path(), metavar="FOLDER", help="folder of the project [this one]")
    parser.add_argument("--setup", metavar="COMMAND", help=_SETUP)
    parser.add_argument("--json", metavar="PATH", help="also write every figure to a file")
    parser.usage = "%(prog)s [options] PYTHON_A PYTHON_B [-- ARGUMENTS FOR PYTEST]"


def run(arguments: argparse.Namespace) -> int:
    wanted = limits_of(arguments, (*allowed_loss.FIGURES, allowed_loss.SINGLE)) or allowed_loss.DEFAULT
    sessions.check(arguments)
    folder: Path = arguments.path.absolute()
    if not folder.is_dir():
        raise CommandError(f"--path {arguments.path}: there is no such folder")
    if arguments.json:
        console.check_writable(arguments.json, "--json")
    pair = [interpreters.find(name, folder) for name in (arguments.first, arguments.second)]
    interpreters.check_distinct(*pair)
    with tempfile.TemporaryDirectory(prefix="concurrency-pythons-", ignore_cleanup_errors=True) as temporary:
        if arguments.setup:
            for number, interpreter in enumerate(pair):
                sessions.say(f"setting up {interpreter.name}")
                venv = Path(temporary, f"venv-{'ab'[number]}")
                pair[number] = interpreters.with_environment(interpreter, arguments.setup, folder, venv)
        for interpreter in pair:
            interpreters.check_installed(interpreter)
        places = [interpreters.place_of(interpreter, folder) for interpreter in pair]
        first, second = sessions.in_turns(places[0], places[1], arguments)
    found = compare(first, second, wanted)
    environments = [runs[0]["environment"] for runs in (first, second)]
    if found.differences:
        raise CommandError(f"the two sides cannot be compared: {'; '.join(found.differences)}")
    if arguments.json:
        console.write_json(arguments.json, {"interpreters": environments, **asdict(found)})
    width = terminal_width()
    lines = [
        *head_of(environments, [interpreter.shown for interpreter in pair], width),
        *lines_of_interpreters(found, environments, width),
    ]
    for line in lines:
        print(line.text)
    return 1 if found.has_regressed else 0
