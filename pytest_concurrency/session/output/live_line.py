"""Live progress after the test's name, only on a terminal; it is erased at the end."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

from pytest_concurrency.machine.clocks import CLOCKS

_AFTER = 1.0  # seconds before the first line
_EVERY = 0.1
_ROOM = 16  # with fewer columns, nothing is shown


class LiveLine:
    """Writes to the right of the cursor and moves the cursor back, so pytest's own line does not change."""

    def __init__(
        self, file: TextIO, columns: int, clock: Callable[[], float] = CLOCKS.wall, after: float = _AFTER
    ) -> None:
        self._file = file
        self._room = columns - 1
        self._clock = clock
        self._next = clock() + after
        self._shown = 0

    def show(self, text: str) -> None:
        """Replace what is shown, at most ten times a second."""
        now = self._clock()
        if now < self._next or self._room < _ROOM:
            return
        self._next = now + _EVERY
        text = f" {text}"[: self._room]
        self._write(f"\x1b[K{text}\x1b[{len(text)}D")
        self._shown = len(text)

    def clear(self) -> None:
        """Remove all of it."""
        if self._shown:
            self._write("\x1b[K")
            self._shown = 0

    def _write(self, text: str) -> None:
        try:
            self._file.write(text)
            self._file.flush()
        except (OSError, ValueError):  # The terminal has been closed; measuring continues.
            self._room = 0


def terminal() -> TextIO | None:
    """Return a stream to the terminal that pytest's capturing does not redirect; None without a terminal.

    Call it while pytest captures nothing.
    """
    if os.environ.get("CI") or os.environ.get("TERM") == "dumb":
        return None
    try:
        if not sys.stdout.isatty():
            return None
        return open(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", errors="replace")
    except (AttributeError, OSError, ValueError):
        return None


@contextlib.contextmanager
def live(file: TextIO | None, columns: int, after: float = _AFTER) -> Iterator[Callable[[str], None] | None]:
    """Yield a function that shows a text in the remaining columns of the line; None without a terminal."""
    if file is None:
        yield None
        return
    line = LiveLine(file, columns, after=after)
    try:
        yield line.show
    finally:
        line.clear()
