"""Discards the output of a function while it is measured."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import IO

_STANDARD = ((1, "stdout"), (2, "stderr"))


@contextlib.contextmanager
def quiet(into: IO[str] | None = None) -> Iterator[None]:
    """Discard all output in the block, also of extension modules and child processes, or redirect it to a file."""
    with contextlib.ExitStack() as stack:
        sink = into or stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
        for number, name in _STANDARD:
            stream = getattr(sys, name)
            if stream is not None:
                stream.flush()
            try:
                saved = os.dup(number)
            except OSError:  # closed, as under a daemon
                continue
            stack.callback(os.close, saved)
            stack.callback(os.dup2, saved, number)
            os.dup2(sink.fileno(), number)
        stack.enter_context(contextlib.redirect_stdout(sink))
        stack.enter_context(contextlib.redirect_stderr(sink))
        stack.callback(sink.flush)
        yield


class Listener:
    """Keeps the first line that is printed while it listens."""

    def __init__(self) -> None:
        self.first_line: str = ""

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as file:
            try:
                with quiet(file):
                    yield
            finally:
                file.seek(0)
                lines = (line.strip() for line in iter(lambda: file.readline(1000), ""))
                self.first_line = next(filter(None, lines), "")[:60]
