"""Pytest sessions in two places in turns, each measured into a run: what compare-refs and compare-pythons share."""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pytest_concurrency.cli.commands import time_of
from pytest_concurrency.core.errors import CommandError
from pytest_concurrency.core.units import duration
from pytest_concurrency.runs.store import Storage

_TESTS_RAN = (0, 1)  # pytest's exit status: all passed, some failed
_NO_TESTS = 5
_TAIL = 25  # lines of a failed command's output that are shown
_NAME = "measured"


class Place(NamedTuple):
    """Where sessions run: a folder and the command of an interpreter. ``name`` is what messages call it."""

    name: str
    folder: Path
    python: tuple[str, ...]
    environment: Mapping[str, str]


def add_options(parser: argparse.ArgumentParser, of: str) -> None:
    """Add the options about the sessions ``of`` each revision or interpreter."""
    parser.add_argument("--times", type=int, default=2, metavar="N", help=f"sessions of each {of} [2]")
    parser.add_argument(
        "--timeout",
        type=time_of,
        default=3600.0,
        metavar="TIME",
        help="stop a session that takes longer, such as 10min [1h]",
    )


def check(arguments: argparse.Namespace) -> None:
    """Find out whether the options can be used.

    :raises CommandError: no session is asked for.
    """
    if arguments.times < 1:
        raise CommandError(f"--times={arguments.times}: at least one session of each is needed")


def in_turns(first: Place, second: Place, arguments: argparse.Namespace) -> tuple[list[Any], list[Any]]:
    """Measure in two places in turns, and return the runs of each.

    :raises CommandError: a session measured nothing.
    """
    # First, second, second, first: what drifts, drifts for both.
    turns = [[first, second] if turn % 2 == 0 else [second, first] for turn in range(arguments.times)]
    order = [place for pair in turns for place in pair]
    runs: tuple[list[Any], list[Any]] = ([], [])
    for number, place in enumerate(order, 1):
        say(f"session {number} of {len(order)}: {place.name}")
        runs[place is second].append(measure(place, arguments.rest, arguments.timeout))
    return runs


def say(text: str) -> None:
    """Show how far it is, apart from the result."""
    print(text, file=sys.stderr, flush=True)


def set_up(command: str, folder: Path, name: str) -> None:
    """Run the user's own command that makes an environment.

    :raises CommandError: it failed.
    """
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        raise CommandError(
            f"--setup {command!r} failed for {name} with status {done.returncode}:\n{_tail(done.stdout)}"
        )


def measure(place: Place, arguments: Sequence[str], longest: float) -> dict[str, Any]:
    """Run pytest once, and return the run that it has measured.

    :param longest: seconds after which it is stopped.
    :raises CommandError: there was none.
    """
    with tempfile.TemporaryDirectory(prefix="concurrency-run-", ignore_cleanup_errors=True) as storage:
        # What a project's own settings keep or compare is about another folder.
        # A cache of its own for each session: with --lf in a project's addopts, the second would run failures only.
        # Without the cache's plugin, that option would be unknown.
        cache = Path(storage, "cache")
        # With -v, the last line that a session which hangs has written names the test.
        ours = ["-v", "-o", f"cache_dir={cache}"]
        ours += [f"--concurrency-storage={storage}", f"--concurrency-save={_NAME}", "--concurrency-save-on=always"]
        command = [*place.python, "-m", "pytest", *arguments, *ours]
        status, output = _outcome(command, place, longest, Path(storage, "output"))
        saved = Storage(storage)
        if status not in _TESTS_RAN or _NAME not in saved.names():
            what = "no test was found" if status == _NO_TESTS else "no test measured anything"
            if status not in (*_TESTS_RAN, _NO_TESTS):
                what = f"pytest ended with status {status}"
            raise CommandError(f"{what} in {place.name}:\n{_tail(output)}")
        return saved.load(_NAME)


def _outcome(command: Sequence[str], place: Place, longest: float, log: Path) -> tuple[int, str]:
    """Return a session's exit status and output.

    The output goes to a file: a pipe that a worker process holds open would keep this waiting for ever.
    """
    with open(log, "wb") as output:
        try:
            process = subprocess.Popen(
                command,
                cwd=place.folder,
                env=dict(place.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            raise CommandError(f"{command[0]} cannot be run: {error.strerror or error}") from None
        try:
            status = process.wait(longest)
        except subprocess.TimeoutExpired:
            _end(process)
            raise CommandError(
                f"the session in {place.name} did not end within {duration(longest)} and was stopped. Raise --timeout "
                f"if the tests take that long. The last lines of its output:\n{_tail(_text(log))}"
            ) from None
        except KeyboardInterrupt:
            _end(process)
            raise
    return status, _text(log)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a session with the processes that it has started."""
    import psutil

    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()
    process.kill()
    process.wait()


def _text(log: Path) -> str:
    return log.read_text("utf-8", errors="replace")


def _tail(output: str) -> str:
    return "\n".join(f"  {line}" for line in output.strip().splitlines()[-_TAIL:])
