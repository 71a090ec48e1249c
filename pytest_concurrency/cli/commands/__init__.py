"""The commands of the console script: a module for each, found by its name.

Each module has ``SUMMARY`` (one line for the list of commands), ``configure(parser)``, which adds its
arguments, and ``run(arguments)``, which returns the exit status: 0, 1 for a regression, 2 for bad usage.
With ``TAKES_REST = True``, what follows ``--`` on the command line is in ``arguments.rest``.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence

from pytest_concurrency.core.errors import CommandError
from pytest_concurrency.core.units import parse_duration
from pytest_concurrency.runs.allowed_loss import FIGURES, AllowedLoss, parse
from pytest_concurrency.runs.store import DEFAULT


def add_storage(parser: argparse.ArgumentParser) -> None:
    """Add the option for the folder of the saved runs."""
    parser.add_argument("--storage", default=DEFAULT, metavar="PATH", help=f"folder of the saved runs [{DEFAULT}]")


def add_fail(
    parser: argparse.ArgumentParser,
    default: str | None = None,
    text: str = "exit with 1 if a test has certainly lost more: speedup:10%%, efficiency:0.1; may be repeated",
) -> None:
    """Add the option that says which losses matter."""
    parser.add_argument(
        "--fail",
        action="append",
        metavar="EXPR",
        help=text + (f" [{default.replace('%', '%%')}]" if default else ""),
    )


def limits_of(arguments: argparse.Namespace, figures: Sequence[str] = FIGURES) -> tuple[AllowedLoss, ...]:
    """Return what ``--fail`` says.

    :param figures: what it can limit.
    :raises CommandError: it cannot be read.
    """
    try:
        return parse(arguments.fail, figures) if arguments.fail else ()
    except ValueError as error:
        raise CommandError(f"--fail: {error}") from None


def time_of(text: str) -> float:
    """Read a duration on the command line, in seconds."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def terminal_width() -> int:
    """Return the number of columns of the terminal; 80 if it is unknown."""
    return shutil.get_terminal_size((80, 24)).columns
