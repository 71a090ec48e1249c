"""The formats of report files: a module for each, found by its name and loaded on use.

``html.py`` is for ``--concurrency-report=html:PATH``, ``benchmark_action.py`` for ``benchmark-action:PATH``. A run is
the document that ``json:PATH`` writes, of plain JSON types. A saved run also has ``name`` and ``created``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, cast


class Format(Protocol):
    """The functions of each module of this package."""

    FOR_PEOPLE: bool  # whether it also shows the date and earlier runs

    def unavailable(self) -> str | None:
        """Return why the format cannot be written here, and what to do about it; None if it can."""

    def render(self, run: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Return the text of the file, in pieces; ``history`` are the figures of earlier runs, oldest first."""


def names() -> tuple[str, ...]:
    """Return the names of all formats, without loading them."""
    return tuple(sorted(found.name.replace("_", "-") for found in pkgutil.iter_modules(__path__)))


def load(name: str) -> Format:
    """Return a format by its name."""
    return cast(Format, importlib.import_module(f"{__name__}.{name.replace('-', '_')}"))
