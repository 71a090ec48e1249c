"""Where a thread stands, for a person to read (pure)."""

from __future__ import annotations

import linecache
import os
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType

Place = tuple[str, int, str]  # file, line, function

PACKAGE = str(Path(__file__).parent) + os.sep
_LIBRARY = sysconfig.get_paths()["stdlib"] + os.sep


def of_frame(frame: FrameType | None) -> Iterator[Place]:
    """Yield a stack's places, innermost first."""
    while frame is not None:
        yield frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name
        frame = frame.f_back


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


def is_authors(file: str) -> bool:
    """Whether a file is neither this plugin's nor the standard library's."""
    if file.startswith((PACKAGE, "<frozen")):
        return False
    return not file.startswith(_LIBRARY) or "site-packages" in file
