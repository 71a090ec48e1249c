"""What ``concurrency.bound`` returns: a bound type that is measured when a test compares it with a name."""

from __future__ import annotations

import sys
from collections.abc import Generator
from dataclasses import replace
from typing import Any

from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.core.outcomes import Finding, Outcome
from pytest_concurrency.core.units import share
from pytest_concurrency.session.calls.answers import refuse_discarded
from pytest_concurrency.session.calls.call import Call
from pytest_concurrency.session.calls.compared import Compared
from pytest_concurrency.verdicts.outcome import bound_differs

__tracebackhide__ = True  # pytest shows a failure at the line of the test
_KINDS = ("io", "cpu", "mixed", "serialized")


class BoundFinding(Compared):
    """A bound type that is measured when it is compared with a name, which it then equals.

    An undecided one follows the undecided policy. The report says "not met" if no comparison with it was true.
    On a running event loop, the bound type of an async function is awaited before it is compared:
    ``assert await concurrency.bound(fetch, url) == "io"``.
    """

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._expected: dict[str, bool] = {}  # what it was compared with, and whether that was true
        self._reported: Outcome | None = None

    @property
    def finding(self) -> Finding | None:
        """Why the last comparison is false; None if none was."""
        return self._reported.finding if self._reported is not None else None

    @property
    def example(self) -> str:
        """A correct comparison, as text."""
        waits = "await " if self._call.belongs_on_loop else ""
        return f'{waits}{self._call.spelled} == "io"'

    def __await__(self) -> Generator[Any, Any, BoundFinding]:
        if not self._call.is_async:
            raise BadArgument(
                f"there is nothing to await: {self._call.functions} is a plain function, which is measured when it is "
                "compared. Leave out await, or give an async def."
            )
        self._take_as_asked()
        if self.outcome is None:
            self._take((yield from self._call.decided_on_loop({}).__await__()))
        return self

    @property
    def kind(self) -> str:
        """``"io"``, ``"cpu"``, ``"mixed"`` or ``"serialized"``; the likeliest of them if it is undecided.

        ``"unknown"`` if nothing could be measured here.
        """
        self._tell()
        bound = self._measured().bound
        return bound.kind if bound is not None else "unknown"

    def _measured(self) -> Outcome:
        self._take_as_asked()
        if self.outcome is None:
            if self._call.must_be_awaited:
                raise BadArgument(
                    f"{self._call.functions} is an async def, which is measured on the test's own event loop, so the "
                    f"bound type has to be awaited: write assert {self.example}."
                )
            return self._take(self._call.decided({}))
        return self.outcome

    def _tell(self) -> None:
        """Report the bound type, compared with all names that were expected so far."""
        outcome = self._measured()
        if self._expected:
            expected = " or ".join(self._expected)
            outcome = replace(outcome, arguments={**outcome.arguments, "expected": expected})
            if outcome.verdict == "met" and outcome.bound is not None and not any(self._expected.values()):
                outcome = bound_differs(outcome, expected)
        if outcome != self._reported:
            self._call.report(outcome, self._reported)
            self._reported = outcome

    def _compared(self, other: object, equal: bool) -> bool:
        """Return whether the bound type is the expected one, or another one; the test's frame must be two frames up."""
        self._take_as_asked()
        if other not in _KINDS:
            raise BadArgument(f"{other!r} is not a bound type: compare with {', '.join(map(repr, _KINDS))}.")
        outcome = self._measured()
        decided = outcome.verdict in ("met", "not_met")
        holds = decided and outcome.bound is not None and (outcome.bound.kind == other) == equal
        self._expected[repr(other) if equal else f"not {other!r}"] = holds
        self._tell()
        followed = self._call.follow(outcome)  # a regression fails the test whatever the bound type is
        answer = holds if decided else followed
        refuse_discarded(sys._getframe(2), f"concurrency.bound == {other!r}")
        return answer

    def __eq__(self, other: object) -> bool:
        return self.kind == other.kind if isinstance(other, BoundFinding) else self._compared(other, equal=True)

    def __ne__(self, other: object) -> bool:
        return self.kind != other.kind if isinstance(other, BoundFinding) else self._compared(other, equal=False)

    def __hash__(self) -> int:
        return hash(self.kind)

    def __bool__(self) -> bool:
        self._take_as_asked()
        raise BadArgument(f"a bound type is neither true nor false: compare it, as in `assert {self.example}`.")

    def __str__(self) -> str:
        return self.kind

    def __repr__(self) -> str:
        if self.outcome is None and self._call.must_be_awaited:
            return f"<bound type, not measured yet: write {self.example}>"
        self._tell()
        outcome = self._measured()
        if outcome.bound is None:
            return f"<bound {outcome.verdict}: {outcome.reason}>"
        return f"<bound {outcome.bound.kind!r}, computing {share(outcome.bound.cpu_share)}>"
