"""The formats of report files: one file each, found by its name and loaded on use.

``html.py`` is what ``--concurrency-report=html:PATH`` asks for, ``benchmark_action.py`` what
``benchmark-action:PATH`` does. A run is what ``json:PATH`` writes: plain JSON types only. If it was saved, it also has
``name`` and ``created``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, cast


class Format(Protocol):
    """What a module of this package offers."""

    FOR_PEOPLE: bool  # shows the date and earlier runs too, and is not the record as it is

    def unavailable(self) -> str | None:
        """Return why the format cannot be written here, and what to do about it; None if it can."""

    def render(self, run: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Return the text of the file, in pieces; ``history`` are the figures of earlier runs, oldest first."""


def names() -> tuple[str, ...]:
    """Return the formats that there are; loads none of them."""
    return tuple(sorted(found.name.replace("_", "-") for found in pkgutil.iter_modules(__path__)))


def load(name: str) -> Format:
    """Return a format by its name."""
    return cast(Format, importlib.import_module(f"{__name__}.{name.replace('-', '_')}"))
