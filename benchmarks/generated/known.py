"""Kinds of recipes that are known to be judged wrongly, each with its reason: shown apart, and not counted as wrong.

An entry is removed when its kind is mended; nothing is added without a sentence that a user could read.
"""

from __future__ import annotations

from generated.cases import Case
from generated.recipes import Compute, Handed

RATIOS = ("expect_speedup", "expect_scaling")


def gap(case: Case, load: str) -> str:
    """Return why this case may be judged wrongly beside this load, or nothing."""
    recipe = case.recipe
    if recipe.vary in ("rare", "cycle") and case.marker in RATIOS:
        return "the promise is about calls that are alike or vary smoothly, not about two kinds of calls"
    hands_over = any(isinstance(part, Handed) for part in recipe.parts)
    if case.marker == "expect_cpu_bound" and hands_over and load != "idle":
        return "beside other programs, helpers may compute too little to be noticed, and their delay counts as waiting"
    within = [part for helper in recipe.parts if isinstance(helper, Handed) for part in helper.parts]
    briefly = any(isinstance(part, Compute) and part.how == "briefly" for part in within)
    if case.marker == "expect_gil_released" and briefly and load != "idle":
        return "helpers that give up the GIL for microseconds have it again before the probe has a CPU"
    return ""
