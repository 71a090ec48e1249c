"""Shared by the console commands: a live line, colors, and text within 80 columns."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_concurrency.core import atomic_files
from pytest_concurrency.core.errors import CommandError
from pytest_concurrency.core.text import in_lines
from pytest_concurrency.session.output import live_line

_CODES = {"bold": "1", "red": "31", "green": "32", "yellow": "33"}


def width() -> int:
    """Return the number of columns to use: those of the terminal, at most 80."""
    return max(40, min(80, shutil.get_terminal_size().columns))


def wrap(text: str, indent: str = "", first: str | None = None) -> str:
    """Break a paragraph into lines; ``first`` replaces the indent of the first one."""
    return "\n".join(in_lines(text, width() - 1, indent, first))


def paint(text: str, how: str) -> str:
    """Color a text if the terminal supports it; ``how`` is bold, red, green or yellow."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty()
    return text if plain else f"\x1b[{_CODES[how]}m{text}\x1b[0m"


@contextlib.contextmanager
def progress_line() -> Iterator[Callable[[str], None]]:
    """Yield a function that shows the progress, only on a terminal."""
    with contextlib.ExitStack() as stack:
        file = live_line.terminal()
        if file is not None:
            stack.enter_context(file)
        show = stack.enter_context(live_line.live(file, width(), after=0.0))
        yield show or _not_shown


def _not_shown(text: str) -> None:
    """Not on a terminal."""


def check_writable(path: str, option: str) -> None:
    """Check before measuring whether a file can be written.

    :raises CommandError: names the option and the reason.
    """
    try:
        atomic_files.check_writable(Path(path))
    except OSError as error:
        raise CommandError(
            f"{option} {path} cannot be written: {error}. Nothing was measured. Name a file in a folder that can be "
            "written to."
        ) from None


def write_json(path: str, value: Mapping[str, Any]) -> None:
    """Write the file of ``--json``.

    :raises CommandError: it cannot be written.
    """
    try:
        atomic_files.write_whole(Path(path), [json.dumps(value, indent=1), "\n"])
    except OSError as error:
        raise CommandError(f"--json {path} cannot be written: {error.strerror or error}") from None
