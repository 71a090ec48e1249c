"""Calls the hooks with which other plugins change or receive records. An error in one loses no record."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pytest_concurrency.machine import stack_locations
from pytest_concurrency.runs.record import plain


def told(name: str, call: Callable[[], object]) -> str | None:
    """Call a hook; return a message if it raises an exception."""
    try:
        call()
    except Exception as error:
        stack = [(one.filename, one.lineno or 0, one.name) for one in traceback.extract_tb(error.__traceback__)]
        return (
            f"The hook {name} raised {type(error).__name__}: {error}\n"
            f"  at {stack_locations.describe(reversed(stack))}\n"
            "  What it adds or writes is missing. The verdicts are not affected. Fix the hook."
        )
    return None


def updated(
    name: str, call: Callable[[dict[str, Any]], object], value: Mapping[str, Any]
) -> tuple[dict[str, Any], str | None]:
    """Let a hook change a value in place; return it as plain JSON types, and a message if that went wrong.

    If the hook fails, or removes names, the value is left unchanged.
    """
    changed = copy.deepcopy(dict(value))
    complaint = told(name, lambda: call(changed))
    if complaint is None and (lost := next(_lost(value, changed), None)):
        complaint = (
            f"The hook {name} has removed {lost}, which reports need.\n"
            "  All of its changes are discarded. The verdicts are not affected. Let the hook only add and change names."
        )
    return plain(value if complaint else changed), complaint


def _lost(before: object, after: object, at: str = "") -> Iterator[str]:
    """Yield the paths of values that were removed."""
    if isinstance(before, Mapping):
        for key, value in before.items():
            place = f"{at}.{key}" if at else str(key)
            if not isinstance(after, Mapping) or key not in after:
                yield place
            else:
                yield from _lost(value, after[key], place)
    elif isinstance(before, list):
        if not isinstance(after, list):
            yield at
            return
        for index, (old, new) in enumerate(zip(before, after, strict=False)):  # fewer may be wanted
            yield from _lost(old, new, f"{at}[{index}]")
