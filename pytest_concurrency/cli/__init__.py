"""The console script ``pytest-concurrency-perf``, also ``python -m pytest_concurrency``."""

from __future__ import annotations

import argparse
import importlib
import io
import pkgutil
import sys
from collections.abc import Sequence

import pytest_concurrency
from pytest_concurrency.cli import commands
from pytest_concurrency.core import package_conflict
from pytest_concurrency.core.errors import CommandError
from pytest_concurrency.core.text import printable

INTERRUPTED = 130  # exit status after Ctrl-C, as shells have it
USAGE = 2  # exit status of bad usage, and of a file that cannot be read


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0, 1 for a regression, 2 for bad usage or an unreadable file."""
    if why := package_conflict.why():
        print(why, file=sys.stderr)
        return USAGE
    parser = argparse.ArgumentParser(
        prog="pytest-concurrency-perf", description="Explore, check and compare the concurrency of Python code."
    )
    parser.add_argument("--version", action="version", version=pytest_concurrency.__version__)
    takers: set[str] = set()
    choices = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for found in pkgutil.iter_modules(commands.__path__):
        module = importlib.import_module(f"{commands.__name__}.{found.name}")
        name = found.name.replace("_", "-")
        command = choices.add_parser(name, help=module.SUMMARY, description=module.__doc__)
        module.configure(command)
        command.set_defaults(run=module.run)
        if getattr(module, "TAKES_REST", False):
            takers.add(name)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # A test's id may have letters that the console cannot show.
    own, rest = _split(sys.argv[1:] if argv is None else argv, takers)
    arguments = parser.parse_args(own)
    arguments.rest = rest
    try:
        status = arguments.run(arguments)
    except CommandError as error:
        message = "\n".join(map(printable, str(error).split("\n")))
        print(f"pytest-concurrency-perf {arguments.command}: {message}", file=sys.stderr)
        return USAGE
    except BrokenPipeError:  # The reader, such as `| head`, has closed the pipe.
        sys.stderr.close()
        return 0
    except OSError as error:  # such as an impossible path, or a full disk
        print(f"pytest-concurrency-perf {arguments.command}: {printable(str(error))}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print(f"pytest-concurrency-perf {arguments.command}: interrupted", file=sys.stderr)
        return INTERRUPTED
    return int(status)


def _split(argv: Sequence[str], takers: set[str]) -> tuple[list[str], list[str]]:
    """Split off the arguments after ``--``, for commands that pass them on. argparse loses them after an option."""
    command = next((word for word in argv if not word.startswith("-")), "")
    at = argv.index("--") if command in takers and "--" in argv else len(argv)
    return list(argv[:at]), list(argv[at + 1 :])
