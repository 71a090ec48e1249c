"""Shortens what a measured test has printed and logged, since its body ran many times."""

from __future__ import annotations

from collections.abc import Iterable

_MOST = 200  # longer output is shortened
_ENDS = 50  # lines that are kept at each end


def shorten(sections: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return a report's sections, without the middle of captured output that is long."""
    return [(name, _shortened(text) if name.startswith("Captured ") else text) for name, text in sections]


def _shortened(text: str) -> str:
    lines = text.splitlines(keepends=True)
    if len(lines) <= _MOST:
        return text
    note = f"[... {len(lines) - 2 * _ENDS:,} lines left out: a measured body runs many times; -s shows all ...]\n"
    return "".join([*lines[:_ENDS], note, *lines[-_ENDS:]])
