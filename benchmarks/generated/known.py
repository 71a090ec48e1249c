"""Kinds of recipes that are known to be judged wrongly, each with its reason: shown apart, and not counted as wrong.

An entry is removed when its kind is mended; nothing is added without a sentence that a user could read.
"""

from __future__ import annotations

from generated.cases import Case
from generated.recipes import Handed, duration

SHORTEST_CALL = 0.0025  # seconds


def gap(case: Case) -> str:
    """Return why this case may be judged wrongly, or nothing."""
    recipe = case.recipe
    if recipe.varies and duration(recipe.parts) < SHORTEST_CALL:
        return "calls that vary and take less than 2 ms are measured in batches, whose figure is that of sums"
    if recipe.vary in ("rare", "cycle") and case.marker == "expect_speedup":
        return "the promise is about calls that are alike or vary smoothly, not about two kinds of calls"
    if recipe.vary == "index" and case.marker == "expect_speedup":
        return "the single worker makes the calls of index 0 only"
    if case.marker == "expect_gil_released" and any(isinstance(part, Handed) for part in recipe.parts):
        return "the GIL that several helpers hold one after the other is taken for one hold"
    return ""
