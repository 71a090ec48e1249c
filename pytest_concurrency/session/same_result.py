"""Whether two implementations compute the same."""

from __future__ import annotations

from typing import Any

__tracebackhide__ = True  # a failure is told at the test's own line


def check_same(one: Any, two: Any) -> None:
    """Compare what two functions returned.

    :raises AssertionError: they differ.
    """
    if one != two:
        raise AssertionError(f"the two do not compute the same: {one!r:.200} against {two!r:.200}")
