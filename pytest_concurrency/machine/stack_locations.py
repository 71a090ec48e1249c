"""Stack locations: where a thread or a task is, as readable text."""

from __future__ import annotations

import gc
import itertools
import linecache
import os
import selectors
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pytest_concurrency
from pytest_concurrency.machine.cpus import gil_enabled

Place = tuple[str, int, str]  # file, line, function

PACKAGE = str(Path(pytest_concurrency.__file__).parent) + os.sep
_DEPTH = 60  # frames that are searched for the author's line
# The modules in which an event loop waits for events; Windows has one of its own.
_POLLERS = (selectors.__file__, str(Path(selectors.__file__).parent / "asyncio" / "windows_events.py"))
_LIBRARY = sysconfig.get_paths()["stdlib"] + os.sep


def outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a stack's frames, innermost first.

    What another thread leaves at this moment may be no frame any more (seen on 3.11), so it ends there.
    """
    while isinstance(frame, FrameType):
        yield frame
        frame = frame.f_back


def of_frame(frame: FrameType | None) -> Iterator[Place]:
    """Yield a stack's places, innermost first."""
    for each in outwards(frame):
        yield each.f_code.co_filename, each.f_lineno, each.f_code.co_name


def innermost(frame: FrameType) -> tuple[Place, ...]:
    """Return the innermost places of a stack: as many as it takes to find the author's line among them."""
    return tuple(itertools.islice(of_frame(frame), _DEPTH))


def unreadable() -> str | None:
    """Return why another thread's frames must not be read, or None.

    Without a GIL, a frame may be gone by the time it is read: python/cpython issues 118680 and 152355.
    """
    return None if gil_enabled() else "without a GIL, looking into a running thread can crash Python"


def of_thread(ident: int | None) -> tuple[Place, ...] | None:
    """Return where a thread is, innermost first; empty where its frames cannot be read, None if it has ended."""
    frame = sys._current_frames().get(ident or 0)
    if frame is None:
        return None
    return () if unreadable() is not None else tuple(of_frame(_outside_collector(frame)))


def _outside_collector(innermost: FrameType) -> FrameType | None:
    """Return the frame in which a garbage collection has begun; the innermost one if none is under way.

    Without this, a function in ``gc.callbacks`` would be reported as the thread's place. A collection can often be seen
    only there.
    """
    callbacks = {getattr(each, "__code__", None) for each in gc.callbacks}
    found: FrameType | None = innermost
    for frame in outwards(innermost if callbacks else None):
        if frame.f_code in callbacks:
            found = frame.f_back
    return found


def authors(places: Iterable[Place]) -> Place | None:
    """Return the innermost place in the author's code; a thread often waits further in, in the standard library."""
    return next((place for place in places if is_authors(place[0])), None)


def describe(places: Iterable[Place]) -> str:
    """Describe the innermost place in the author's code, or else the innermost place."""
    known = list(places)
    if not known:
        return "not readable here"
    file, line, function = authors(known) or known[0]
    source = linecache.getline(file, line).strip()
    return f"{relative(file)}:{line} in {function}" + (f": {source}" if source else "")


def relative(file: str) -> str:
    """Return a path relative to the current folder if it is below that; otherwise as it is."""
    try:
        return str(Path(file).relative_to(Path.cwd()))
    except (ValueError, OSError):  # the file is elsewhere, or the current folder is gone
        return file


def in_body(places: Iterable[Place]) -> str | None:
    """Describe where a worker is in its body; None if the body has ended or has not begun."""
    known = list(places)
    if not known or (known[0][0].startswith(PACKAGE) and authors(known) is None):
        return None
    return describe(known)


def in_poll(places: Sequence[Place]) -> bool:
    """Whether an event loop's thread was between callbacks, waiting for something to do."""
    return bool(places) and places[0][0] in _POLLERS


def is_authors(file: str) -> bool:
    """Whether a file is neither this plugin's nor the standard library's."""
    if file.startswith((PACKAGE, "<frozen")):
        return False
    return not file.startswith(_LIBRARY) or "site-packages" in file


def of_task(task: Any) -> list[Place]:
    """Return the places in which an asyncio task waits, innermost first; empty if it is running now."""
    found: list[Place] = []
    awaited: Any = task.get_coro()
    while (frame := getattr(awaited, "cr_frame", None)) is not None:
        if awaited.cr_running:
            return []
        found.insert(0, next(of_frame(frame)))
        awaited = awaited.cr_await
    return found
