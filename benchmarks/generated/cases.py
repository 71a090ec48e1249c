"""Questions about a recipe whose right answer is known: each is a marker with its arguments, and a label.

A label keeps a factor of 1.4 from the model's figure. Where the figure is a range, it keeps that from its far end.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from generated import truth
from generated.recipes import Compute, Recipe, Wait, duration, flat
from generated.truth import Range

FACTOR = 1.4
UNKNOWN = 0.0002  # seconds of computing that a call may take beside what its recipe says
AWAITING = 0.0005  # seconds of computing that an event loop may take for one wait: 0.29 ms for asyncio.sleep(0.01)
OVERLAPS, QUEUES = 0.85, 1.15  # part of the workers, and speedup, from which waits certainly overlap, or do not
LEAST = 1.05  # no one expects a smaller speedup


@dataclass(frozen=True, slots=True)
class Case:
    """One marker on one recipe; ``label`` is the right verdict, ``true`` what it follows from."""

    recipe: Recipe
    marker: str
    arguments: tuple[tuple[str, Any], ...]
    label: str
    true: Range

    @property
    def asked(self) -> str:
        return f"{self.marker}({', '.join(f'{name}={value!r}' for name, value in self.arguments)})"


def cases(recipe: Recipe) -> Iterator[Case]:
    """All questions about a recipe that have a sure answer."""
    true = truth.speedup(recipe)
    yield from _speedups(recipe, true)
    yield from _scalings(recipe, true)
    yield from _shares(recipe)
    yield from _overlaps(recipe, true)
    yield from _longest(recipe)


def some(recipe: Recipe, number: int = 3) -> list[Case]:
    """Return some of them, the same ones each time, speedups first."""
    found = list(cases(recipe))
    return random.Random(f"cases {recipe.seed}").sample(found, min(number, len(found)))


def _speedups(recipe: Recipe, true: Range) -> Iterator[Case]:
    for name, limit, label in (
        ("at_least", true.low / FACTOR, "met"),
        ("at_least", true.high * FACTOR, "not_met"),
        ("at_most", true.high * FACTOR, "met"),
        ("at_most", true.low / FACTOR, "not_met"),
    ):
        if LEAST <= limit <= recipe.workers or (name == "at_most" and limit >= LEAST):
            yield Case(
                recipe,
                "expect_speedup",
                ((name, _rounded(limit, up=(name == "at_most") == (label == "met"))),),
                label,
                true,
            )


def _scalings(recipe: Recipe, true: Range) -> Iterator[Case]:
    """Efficiency with two workers and with all of them; the smaller one decides."""
    if recipe.workers < 4 or recipe.vary == "index" or recipe.backend.startswith("executor"):
        return
    two = truth.speedup(recipe, 2)
    found = Range(min(two.low / 2, true.low / recipe.workers), min(two.high / 2, true.high / recipe.workers))
    counts = ("counts", (1, 2, recipe.workers))
    for limit, label in ((found.low / FACTOR, "met"), (found.high * FACTOR, "not_met")):
        if LEAST / 2 < limit <= 1:
            efficiency = _rounded(limit, up=label == "not_met")
            yield Case(recipe, "expect_scaling", (("efficiency", min(1.0, efficiency)), counts), label, found)


def _overlaps(recipe: Recipe, true: Range) -> Iterator[Case]:
    """Whether waits overlap, of calls that do little else."""
    waiting = 1 - truth.cpu_share(recipe).high
    if waiting < 0.9 or recipe.backend not in ("threads", "tasks") or recipe.varies or recipe.vary == "index":
        return
    if true.low >= OVERLAPS * recipe.workers:
        yield Case(recipe, "expect_io_bound", (("min_wait", 0.5),), "met", true)
    elif true.high <= QUEUES:
        yield Case(recipe, "expect_io_bound", (("min_wait", 0.5),), "not_met", true)


def _shares(recipe: Recipe) -> Iterator[Case]:
    found = truth.cpu_share(recipe)
    seconds = duration(recipe.parts)
    waits = sum(isinstance(part, Wait) for part in flat(recipe.parts)) if recipe.backend == "tasks" else 0
    high = min(1.0, found.high + (UNKNOWN + AWAITING * waits) / seconds)
    true = Range(max(0.0, found.low - UNKNOWN / seconds), high)
    waiting = Range(1 - true.high, 1 - true.low)
    if recipe.varies or recipe.vary == "index":
        return
    if true.low / FACTOR >= 0.05:
        yield Case(recipe, "expect_cpu_bound", (("min_cpu", _rounded(true.low / FACTOR, up=False)),), "met", true)
    if true.high * FACTOR <= 1:
        yield Case(
            recipe,
            "expect_cpu_bound",
            (("min_cpu", _rounded(max(0.05, true.high * FACTOR), up=True)),),
            "not_met",
            true,
        )
    held = _held(recipe)
    if held is not None and true.low > 0.3 and recipe.backend != "tasks":
        for use in ("held", "released"):
            label = "met" if use == held else "not_met"
            yield Case(recipe, "expect_cpu_bound", (("min_cpu", 0.05), ("gil", use)), label, true)
    if waiting.high * FACTOR <= 1 and waiting.high > 0.02 and recipe.backend in ("threads", "tasks"):
        yield Case(
            recipe, "expect_io_bound", (("min_wait", _rounded(waiting.high * FACTOR, up=True)),), "not_met", waiting
        )


def _held(recipe: Recipe) -> str | None:
    """Whether nearly all of its computing holds the GIL, or nearly none; None if that is not sure."""
    parts = [part for part in flat(recipe.parts) if isinstance(part, Compute)]
    seconds = {
        how: sum(part.seconds for part in parts if part.how == how) for how in ("python", "keeps", "frees", "briefly")
    }
    whole = sum(seconds.values())
    if whole < 0.9 * duration(recipe.parts) * 0.2 or seconds["briefly"] or recipe.fixture != "none" or not whole:
        return None
    if any(not isinstance(part, Compute) and hasattr(part, "where") for part in flat(recipe.parts)):
        return None
    share = (seconds["python"] + seconds["keeps"]) / whole
    return "held" if share >= 0.7 else "released" if share <= 0.3 else None


def _longest(recipe: Recipe) -> Iterator[Case]:
    if recipe.vary in ("exponential", "slow first", "thread cache") or recipe.fixture != "none":
        return
    if recipe.backend == "threads":
        yield from _never(recipe, "expect_gil_released", "max_hold", truth.longest_hold(recipe), 0.002)
    if recipe.backend == "tasks":
        yield from _never(recipe, "expect_nonblocking", "max_block", truth.longest_block(recipe), 0.01)


def _never(recipe: Recipe, marker: str, name: str, true: Range, least: float) -> Iterator[Case]:
    yield Case(recipe, marker, ((name, _rounded(max(least, true.high * FACTOR), up=True)),), "met", true)
    if true.low / FACTOR >= least:
        yield Case(recipe, marker, ((name, _rounded(true.low / FACTOR, up=False)),), "not_met", true)


def _rounded(value: float, up: bool) -> float:
    """Three digits, away from the true figure."""
    digits = 2 - math.floor(math.log10(value))
    return (math.ceil if up else math.floor)(value * 10**digits) / 10**digits
