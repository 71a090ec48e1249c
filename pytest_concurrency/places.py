"""Where a thread stands, for a person to read."""

from __future__ import annotations

import linecache
import os
import selectors
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from pytest_concurrency.machine import gil_enabled

Place = tuple[str, int, str]  # file, line, function

PACKAGE = str(Path(__file__).parent) + os.sep
_LIBRARY = sysconfig.get_paths()["stdlib"] + os.sep


def of_frame(frame: FrameType | None) -> Iterator[Place]:
    """Yield a stack's places, innermost first."""
    while frame is not None:
        yield frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name
        frame = frame.f_back


def may_look() -> bool:
    """Whether another thread's frames may be read: without a GIL they may be gone by then, and Python crashes.

    Source: python/cpython issues 118680 and 152355.
    """
    return gil_enabled()


def of_thread(ident: int | None) -> tuple[Place, ...] | None:
    """Return where a thread stands, innermost first; nothing where nobody may look, None if it has ended."""
    frame = sys._current_frames().get(ident or 0)
    if frame is None:
        return None
    return tuple(of_frame(frame)) if may_look() else ()


def describe(places: Iterable[Place]) -> str:
    """Return the innermost place that is the author's: waiting ends in the standard library, which says little."""
    known = list(places)
    if not known:
        return "not readable here"
    file, line, function = next((place for place in known if is_authors(place[0])), known[0])
    source = linecache.getline(file, line).strip()
    return f"{file}:{line} in {function}" + (f": {source}" if source else "")


def in_body(places: Iterable[Place]) -> str | None:
    """Describe where a worker is in its body; None if it is not inside: the body has ended, or not begun."""
    known = list(places)
    if not known or (known[0][0].startswith(PACKAGE) and not any(is_authors(place[0]) for place in known)):
        return None
    return describe(known)


def in_poll(places: Sequence[Place]) -> bool:
    """Whether an event loop's thread was between callbacks, waiting for something to do."""
    return bool(places) and places[0][0] == selectors.__file__


def is_authors(file: str) -> bool:
    """Whether a file is neither this plugin's nor the standard library's."""
    if file.startswith((PACKAGE, "<frozen")):
        return False
    return not file.startswith(_LIBRARY) or "site-packages" in file
