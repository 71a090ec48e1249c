"""What a test likely is after one ordinary run, and which marker to paste.

One run does not show whether waits overlap, or who else was busy: so the bound type is a likely one.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_concurrency.core.units import duration, share
from pytest_concurrency.engine.bound_type import COMPUTES, WAITS
from pytest_concurrency.survey.values import Phase, SurveyedTest

SHORTEST = 0.005  # seconds: in less, one hiccup of the machine decides which kind it is
LONGEST = 1.0  # seconds: a marked test runs dozens of times, within 10 s
MOST_MARKERS = 10
_BY_CHILDREN = 0.2  # part of the time: on a busy machine, children wait for a CPU themselves
_WORDS = {"io": "I/O-bound", "cpu": "CPU-bound"}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A marker for a test, and why."""

    name: str
    why: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """What to paste above the test."""
        arguments = ", ".join(f"{name}={json.dumps(value)}" for name, value in self.arguments.items())
        return f"@pytest.mark.{self.name}" + (f"({arguments})" if arguments else "")


def kind_of(call: Phase) -> str:
    """Return ``io``, ``cpu``, ``mixed`` or ``children``; empty where the call was too short to say."""
    if call.alone < SHORTEST:
        return ""
    if call.children > max(call.cpu, _BY_CHILDREN * call.alone):
        return "children"
    computing = computing_share(call)
    return "io" if computing <= WAITS else "cpu" if computing >= COMPUTES else "mixed"


def computing_share(phase: Phase) -> float:
    """Return the part of its time that a phase computes, at most 1; waiting for a CPU is left out."""
    return min(1.0, phase.computing / phase.alone) if phase.alone > 0 else 1.0


def marker_of(test: SurveyedTest) -> Suggestion | None:
    """Return the marker that suits a test, as far as its one run says; None if none does."""
    call = test.call
    if test.outcome != "passed" or not SHORTEST <= call.alone <= LONGEST:
        return None
    if (block := _longest_block(test)) is not None:
        why = f"its event loop was blocked for {duration(block['high'])}, so it fails until that is mended"
        return Suggestion("expect_nonblocking", why, {"max_block": "50ms"})
    kind = kind_of(call)
    if kind not in _WORDS:
        return None
    computing = computing_share(call)
    does = f"waits {share(1 - computing)}" if kind == "io" else f"computes {share(computing)}"
    return Suggestion(f"expect_{kind}_bound", f"likely {_WORDS[kind]}: {does} of {duration(call.alone)}")


def candidates(tests: Iterable[SurveyedTest]) -> list[SurveyedTest]:
    """Return the tests that a marker would suit, the best first; of a parametrized one its longest case."""
    longest: dict[str, SurveyedTest] = {}
    for test in tests:
        if marker_of(test) is not None:
            known = longest.get(test.function)
            if known is None or _rank(test) < _rank(known):
                longest[test.function] = test
    found, lines = [], set[str]()
    for test in sorted(longest.values(), key=_rank):
        block = _longest_block(test)
        line = block["where"] if block is not None else None
        if line is None or line not in lines:  # one test is enough to keep a line from blocking
            found.append(test)
        lines.update([line] if line is not None else [])
    return found


def suggestions(tests: Sequence[SurveyedTest], fit: Collection[str]) -> list[dict[str, str]]:
    """Return the markers to paste, as plain values.

    :param fit: the tests that may have the marker: their bodies can be called again and again.
    """
    found = []
    for test in candidates(tests):
        suggestion = marker_of(test)
        if suggestion is not None and test.nodeid in fit:
            found.append({"nodeid": test.nodeid, "marker": suggestion.line, "why": suggestion.why})
    return found[:MOST_MARKERS]


def _longest_block(test: SurveyedTest) -> Mapping[str, Any] | None:
    """Return the longest block of the test's loop that nothing else can have caused."""
    return max(
        (block for block in test.blocks if block["sure"] and not block["allowed"]),
        key=lambda block: float(block["high"]),
        default=None,
    )


def _rank(test: SurveyedTest) -> tuple[bool, float]:
    return _longest_block(test) is None, -test.call.wall
