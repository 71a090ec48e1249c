"""Calls the hooks by which others change or take what was measured: a mistake of theirs loses nothing of it."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pytest_concurrency.machine import stack_locations
from pytest_concurrency.runs.record import plain


def told(name: str, call: Callable[[], object]) -> str | None:
    """Call a hook; return what to say of the exception if it raises one."""
    try:
        call()
    except Exception as error:
        stack = [(one.filename, one.lineno or 0, one.name) for one in traceback.extract_tb(error.__traceback__)]
        return (
            f"The hook {name} raised {type(error).__name__}: {error}\n"
            f"  at {stack_locations.describe(reversed(stack))}\n"
            "  What it was to add or write is missing; the verdicts are as measured. Mend the hook."
        )
    return None


def updated(
    name: str, call: Callable[[dict[str, Any]], object], value: Mapping[str, Any]
) -> tuple[dict[str, Any], str | None]:
    """Let a hook change a value in place; return it as plain JSON types, and what to say if that went wrong.

    A value that the hook has failed on, or taken names from, is as it was before.
    """
    changed = copy.deepcopy(dict(value))
    complaint = told(name, lambda: call(changed))
    if complaint is None and (lost := next(_lost(value, changed), None)):
        complaint = (
            f"The hook {name} has removed {lost}, which reports need.\n"
            "  All of its changes are left out; the verdicts are as measured. Let it add and change only."
        )
    return plain(value if complaint else changed), complaint


def _lost(before: object, after: object, at: str = "") -> Iterator[str]:
    """Yield the places of what is not there any more."""
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
