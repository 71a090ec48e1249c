"""The base of what a test compares with a number or a name, and which is measured then."""

from __future__ import annotations

from pytest_concurrency.core.outcomes import Finding, Outcome
from pytest_concurrency.session.calls.call import Call

__tracebackhide__ = True  # pytest shows a failure at the line of the test


class Compared:
    """The result of a call of the fixture: measured when it is compared; ``outcome`` is None until then."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.outcome: Outcome | None = None
        self.asked: bool = False  # whether it was compared with anything

    @property
    def finding(self) -> Finding | None:
        """Why the comparison is false; None if nothing was measured, or it is true."""
        return self.outcome.finding if self.outcome is not None else None

    @property
    def spelled(self) -> str:
        """The call as its author may have written it."""
        return self._call.spelled

    @property
    def example(self) -> str:
        """A correct comparison, as text."""
        raise NotImplementedError

    def _take_as_asked(self) -> None:
        self.asked = True

    def _take(self, outcome: Outcome) -> Outcome:
        self.outcome = outcome
        return outcome
