"""What the calls of the ``concurrency`` fixture return: each is measured when a test compares it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import FrameType

from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.core.model import Finding, Outcome
from pytest_concurrency.core.units import count, number
from pytest_concurrency.expectations import keywords
from pytest_concurrency.session.explanations import Compared
from pytest_concurrency.session.unused_comparisons import is_discarded
from pytest_concurrency.verdicts import not_met
from pytest_concurrency.verdicts.outcome import bound_differs

__tracebackhide__ = True  # a failure is told at the test's own line
_KINDS = ("io", "cpu", "mixed", "serialized")


class Speedup(Compared):
    """A speedup that is measured when it is compared with a number."""

    COMPARISON = ">= 2"

    def __init__(
        self,
        decide: Callable[[dict[str, float]], Outcome],
        report: Callable[[Outcome], None],
        follow: Callable[[Outcome], bool],
    ) -> None:
        self._decide = decide
        self._report = report
        self._follow = follow
        self.outcome: Outcome | None = None
        self.asked = False  # whether it was compared with anything

    def __ge__(self, threshold: float) -> bool:
        return self._answer("at_least", threshold)

    def __gt__(self, threshold: float) -> bool:
        return self._answer("at_least", threshold)

    def __le__(self, threshold: float) -> bool:
        return self._answer("at_most", threshold)

    def __lt__(self, threshold: float) -> bool:
        return self._answer("at_most", threshold)

    def __bool__(self) -> bool:
        self.asked = True
        raise BadArgument(
            "a speedup is neither true nor false: compare it with a number, "
            "as in `assert concurrency.speedup(fetch, url, threads=4) >= 3`."
        )

    def __eq__(self, other: object) -> bool:
        self.asked = True
        raise BadArgument("a measured speedup never equals a number exactly: use >= or <=.")

    __hash__ = None  # type: ignore[assignment]

    def _answer(self, keyword: str, threshold: float) -> bool:
        self.asked = True
        try:
            value = keywords.positive(threshold)
        except ValueError as error:
            raise BadArgument(f"a speedup cannot be compared with {threshold!r}: the threshold {error}.") from None
        self.outcome = outcome = self._decide({keyword: value})
        self._report(outcome)
        answer = self._follow(outcome)
        _refuse_discarded(sys._getframe(2), label(outcome.marker, {keyword: value}))
        return answer

    def __repr__(self) -> str:
        return _short(self.outcome) if self.outcome else "<speedup, not measured yet: compare it with >= or <=>"


class BoundFinding(Compared):
    """A bound type that is measured when it is asked for; equal to its name.

    Undecided findings follow the undecided policy. In the report, it is not met if no comparison with it was true.
    """

    COMPARISON = '== "io"'

    def __init__(
        self,
        decide: Callable[[], Outcome],
        report: Callable[[Outcome, Outcome | None], None],
        follow: Callable[[Outcome], bool],
    ) -> None:
        self._decide = decide
        self._report = report
        self._follow = follow
        self._expected: dict[str, bool] = {}  # what it was compared with, and whether that was true
        self._reported: Outcome | None = None
        self.outcome: Outcome | None = None
        self.asked = False  # whether it was compared with anything

    @property
    def finding(self) -> Finding | None:
        """Why the last comparison is false; None if none was."""
        return self._reported.finding if self._reported is not None else None

    @property
    def kind(self) -> str:
        """``"io"``, ``"cpu"``, ``"mixed"`` or ``"serialized"``: the likeliest, if it is undecided."""
        self._tell()
        bound = self._measured().bound
        return bound.kind if bound is not None else "unknown"

    def _measured(self) -> Outcome:
        self.asked = True
        if self.outcome is None:
            self.outcome = self._decide()
        return self.outcome

    def _tell(self) -> None:
        """Report what was found, and how it stands to all that was expected so far."""
        outcome = self._measured()
        if self._expected:
            expected = " or ".join(self._expected)
            outcome = replace(outcome, arguments={**outcome.arguments, "expected": expected})
            if outcome.verdict == "met" and outcome.bound is not None and not any(self._expected.values()):
                outcome = bound_differs(outcome, expected)
        if outcome != self._reported:
            self._report(outcome, self._reported)
            self._reported = outcome

    def _is(self, other: object, wanted: bool) -> bool:
        self.asked = True
        if other not in _KINDS:
            raise BadArgument(f"{other!r} is not a bound type: compare with {', '.join(map(repr, _KINDS))}.")
        outcome = self._measured()
        decided = outcome.verdict in ("met", "not_met")
        holds = decided and outcome.bound is not None and (outcome.bound.kind == other) == wanted
        self._expected[repr(other) if wanted else f"not {other!r}"] = holds
        self._tell()
        answer = holds if decided else self._follow(outcome)
        if decided and outcome.change is not None:
            self._follow(outcome)
        _refuse_discarded(sys._getframe(2), f"concurrency.bound == {other!r}")
        return answer

    def __eq__(self, other: object) -> bool:
        return self.kind == other.kind if isinstance(other, BoundFinding) else self._is(other, wanted=True)

    def __ne__(self, other: object) -> bool:
        return self.kind != other.kind if isinstance(other, BoundFinding) else self._is(other, wanted=False)

    def __hash__(self) -> int:
        return hash(self.kind)

    def __bool__(self) -> bool:
        self.asked = True
        raise BadArgument(
            'a bound type is neither true nor false: compare it, as in `assert concurrency.bound(fetch, url) == "io"`.'
        )

    def __str__(self) -> str:
        return self.kind

    def __repr__(self) -> str:
        self._tell()
        outcome = self._measured()
        if outcome.bound is None:
            return f"<bound {outcome.verdict}: {outcome.reason}>"
        return f"<bound {outcome.bound.kind!r}: {outcome.bound.evidence}; {count(outcome.rounds, 'round')}>"


def _refuse_discarded(frame: FrameType, what: str) -> None:
    """See to it that someone uses the answer.

    :raises BadArgument: no one does. Raised after the body's own errors, which a test may be about.
    """
    if is_discarded(frame):
        raise BadArgument(
            f"{what}: no one uses this answer, so the test would pass whatever it is. "
            "Write assert before the comparison."
        )


def label(name: str, threshold: Mapping[str, float]) -> str:
    sign = ">=" if "at_least" in threshold else "<="
    return f"concurrency.{name} {sign} {number(next(iter(threshold.values())))}"


def _short(outcome: Outcome) -> str:
    bound = f", bound: {outcome.bound.kind}" if outcome.bound else ""
    return (
        f"<speedup {not_met.figure(outcome.estimate)} with {outcome.workers}{bound}, {count(outcome.rounds, 'round')}>"
    )
