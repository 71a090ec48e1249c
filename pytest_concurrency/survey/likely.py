"""What a test likely is after one ordinary run, and which marker to paste (pure).

One run does not show whether waits overlap, or who else was busy: so the bound type is a likely one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from pytest_concurrency.core.units import duration, share
from pytest_concurrency.engine.bound_type import COMPUTES, WAITS
from pytest_concurrency.survey.values import Phase, SurveyedTest

SHORTEST = 0.005  # seconds: in less, one hiccup of the machine decides which kind it is
LONGEST = 1.0  # seconds: a marked test runs dozens of times, within 10 s
MOST_MARKERS = 10
_WORDS = {"io": "I/O-bound", "cpu": "CPU-bound"}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A marker for a test, and why."""

    nodeid: str
    marker: str
    why: str


def kind_of(call: Phase) -> str:
    """Return ``io``, ``cpu``, ``mixed`` or ``children``; empty where the call was too short to say."""
    if call.wall < SHORTEST or call.alone <= 0:
        return ""
    if call.children > 0.5 * call.alone:
        return "children"
    computing = computing_share(call)
    return "io" if computing <= WAITS else "cpu" if computing >= COMPUTES else "mixed"


def computing_share(phase: Phase) -> float:
    """Return the part of its time that a phase computes, at most 1; waiting for a CPU is left out."""
    return min(1.0, phase.computing / phase.alone) if phase.alone > 0 else 1.0


def candidates(tests: Iterable[SurveyedTest]) -> list[SurveyedTest]:
    """Return the tests that a marker would suit, the best first; of a parametrized one its longest case."""
    longest: dict[str, SurveyedTest] = {}
    for test in tests:
        if test.outcome != "passed" or _marker(test) is None:
            continue
        known = longest.get(test.function)
        if known is None or _rank(test) < _rank(known):
            longest[test.function] = test
    return sorted(longest.values(), key=_rank)


def suggestions(tests: Sequence[SurveyedTest], fit: Collection[str]) -> list[Suggestion]:
    """Return the markers to paste.

    :param fit: the tests whose body can be called again and again, as far as their code says.
    """
    found = []
    for test in candidates(tests):
        marker = _marker(test)
        if marker is not None and test.nodeid in fit:
            found.append(Suggestion(test.nodeid, *marker))
    return found[:MOST_MARKERS]


def _rank(test: SurveyedTest) -> tuple[bool, float]:
    return not test.blocks, -test.call.wall


def _marker(test: SurveyedTest) -> tuple[str, str] | None:
    call = test.call
    if call.wall > LONGEST:
        return None
    if test.blocks:
        longest = max(float(block["high"]) for block in test.blocks)
        return (
            '@pytest.mark.expect_nonblocking(max_block="50ms")',
            f"its event loop was blocked for {duration(longest)}, so it will fail until that is mended",
        )
    kind = kind_of(call)
    if kind not in _WORDS:
        return None
    computing = computing_share(call)
    does = f"waits {share(1 - computing)}" if kind == "io" else f"computes {share(computing)}"
    return f"@pytest.mark.expect_{kind}_bound", f"likely {_WORDS[kind]}: {does} of {duration(call.alone)}"
