"""Make a wrong verdict's recipe smaller for as long as the verdict stays wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from generated import cases as questions
from generated import simulate
from generated.cases import Case
from generated.recipes import Compute, Handed, Inside, Part, Recipe, Wait, duration
from generated.results import RIGHT_TOO

ROUND = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
TRIES = 6  # runs with other noise before a smaller recipe counts as judged rightly


@dataclass(frozen=True, slots=True)
class Wrong:
    """A case that was judged wrongly beside a load, in this run of it."""

    case: Case
    load: str
    run: int
    verdict: str


def smaller(wrong: Wrong, told: Callable[[Wrong], None] | None = None) -> Wrong:
    """Return the smallest case found: fewer parts, rounder numbers, fewer workers, an idle machine."""
    while True:
        for recipe, load in _candidates(wrong.case.recipe, wrong.load):
            found = _wrong(recipe, load, wrong.case)
            if found is not None:
                wrong = found
                if told is not None:
                    told(wrong)
                break
        else:
            return wrong


def first_wrong(case: Case, load: str, tries: int = TRIES) -> Wrong | None:
    """Judge a case some times; return the first wrong verdict."""
    for run in range(tries):
        try:
            verdict = simulate.settled(case, load, run).verdict
        except Exception:  # an error of the engine is a wrong answer too
            verdict = "error"
        if verdict not in (case.label, *RIGHT_TOO):
            return Wrong(case, load, run, verdict)
    return None


def _wrong(recipe: Recipe, load: str, like: Case) -> Wrong | None:
    """The same question about another recipe, judged wrongly too; None if it is not, or has no sure answer."""
    try:
        found = list(questions.cases(recipe))
    except (RuntimeError, ZeroDivisionError, ValueError):  # nothing is left of it
        return None
    for case in found:
        same = [name for name, _ in case.arguments] == [name for name, _ in like.arguments]
        if same and (case.marker, case.label) == (like.marker, like.label):
            return first_wrong(case, load)
    return None


def _candidates(recipe: Recipe, load: str) -> Iterator[tuple[Recipe, str]]:
    """What is simpler by one step, the greatest steps first."""
    if load != "idle":
        yield recipe, "idle"
        if load == "busy4":
            yield recipe, "busy1"
    for simple in (
        {"fixture": "none"},
        {"setup": 0.0},
        {"loop": "own"},
        {"vary": "constant", "factor": 1.0, "every": 1},
        {"workers": 2},
        {"workers": max(2, recipe.workers // 2)},
    ):
        candidate = replace(recipe, **simple)  # type: ignore[arg-type]
        if candidate != recipe:
            yield candidate, load
    for parts in _simpler(recipe.parts):
        if parts and duration(parts) > 0:
            yield replace(recipe, parts=parts), load


def _simpler(parts: tuple[Part, ...]) -> Iterator[tuple[Part, ...]]:
    for place, part in enumerate(parts):
        before, after = parts[:place], parts[place + 1 :]
        if len(parts) > 1:
            yield before + after
        if isinstance(part, (Inside, Handed)):
            yield before + part.parts + after
            for inner in _simpler(part.parts):
                if inner:
                    yield (*before, replace(part, parts=inner), *after)
            number = part.size if isinstance(part, Inside) else part.number
            if number > 1:
                fewer = replace(part, size=1) if isinstance(part, Inside) else replace(part, number=1)
                yield (*before, fewer, *after)
        elif isinstance(part, Wait) and part.how != "sleep":
            yield (*before, replace(part, how="sleep"), *after)
        if isinstance(part, (Wait, Compute)) and part.seconds not in ROUND:
            nearest = min(ROUND, key=lambda seconds: abs(seconds - part.seconds))
            yield (*before, replace(part, seconds=nearest), *after)
