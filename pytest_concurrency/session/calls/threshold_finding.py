"""The base of the figures that calls of the ``concurrency`` fixture return: comparing one measures it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from types import FrameType
from typing import ClassVar

from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.core.outcomes import Outcome
from pytest_concurrency.core.units import duration, number
from pytest_concurrency.session.calls.answers import Answer, Decided, Pending, discarded, is_discarded, refuse_discarded
from pytest_concurrency.session.calls.compared import Compared
from pytest_concurrency.session.calls.either_way import is_in_a_negation

__tracebackhide__ = True  # pytest shows a failure at the line of the test


class ThresholdFinding(Compared):
    """A figure that is measured when it is compared with a threshold. There is a subclass for each kind of figure.

    ``AT_LEAST`` and ``AT_MOST`` are the plan's keywords for a lower and an upper threshold; None where such a
    threshold has no meaning.
    """

    AT_LEAST: ClassVar[str | None] = None
    AT_MOST: ClassVar[str | None] = None
    NOUN: ClassVar[str]
    THRESHOLD: ClassVar[str] = "a number"  # what it is compared with
    COMPARISON: ClassVar[str]  # an example
    METHOD: ClassVar[str]  # the same as a method

    @property
    def example(self) -> str:
        """A correct comparison, as text."""
        if self._call.belongs_on_loop:
            return f"await {self._call.spelled}{self.METHOD}"
        return f"{self._call.spelled} {self.COMPARISON}"

    def __ge__(self, threshold: object) -> bool:
        return self._compared(self.AT_LEAST, ">=", threshold)

    def __gt__(self, threshold: object) -> bool:
        return self._compared(self.AT_LEAST, ">", threshold)

    def __le__(self, threshold: object) -> bool:
        return self._compared(self.AT_MOST, "<=", threshold)

    def __lt__(self, threshold: object) -> bool:
        return self._compared(self.AT_MOST, "<", threshold)

    def __bool__(self) -> bool:
        self._take_as_asked()
        raise BadArgument(
            f"{self.NOUN} is neither true nor false: compare it with {self.THRESHOLD}, as in `assert {self.example}`."
        )

    def __eq__(self, other: object) -> bool:
        self._take_as_asked()
        signs = " or ".join(sign for sign, known in ((">=", self.AT_LEAST), ("<=", self.AT_MOST)) if known)
        raise BadArgument(f"{self.NOUN} that was measured never equals {self.THRESHOLD} exactly: use {signs}.")

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __await__(self) -> None:
        self._take_as_asked()
        raise BadArgument(
            f"{self.NOUN} is measured against a threshold, and this awaits it without one: "
            f"write assert await {self._call.spelled}{self.METHOD}."
        )

    def __repr__(self) -> str:
        if self.outcome is None:
            return f"<{self.NOUN}, not measured yet: write {self.example}>"
        return self._short(self.outcome)

    def _asked_for(self, keyword: str, words: str, threshold: object) -> Answer:
        """Answer ``at_least`` or ``at_most``. The test's frame must be two frames up, so only they may call this."""
        value = self._value(words, threshold)
        spelled = f"{self._call.spelled}.{words.replace(' ', '_')}({threshold!r})"
        if not self._call.must_be_awaited:
            self._take_as_asked()
            holds = self._taken(self._call.decided({keyword: value}), sys._getframe(2))
            refuse_discarded(sys._getframe(2), self._label(keyword, value))
            return self._decided(holds, words, threshold)
        if is_discarded(sys._getframe(2)):
            self._take_as_asked()
            raise discarded(spelled, "assert await")

        async def ask(frame: FrameType) -> Decided:
            self._take_as_asked()
            holds = self._taken(await self._call.decided_on_loop({keyword: value}), frame)
            return self._decided(holds, words, threshold)

        return Pending(spelled, ask, self._take_as_asked)

    def _compared(self, keyword: str | None, sign: str, threshold: object) -> bool:
        self._take_as_asked()
        if keyword is None:
            raise BadArgument(f"{self.NOUN} has no threshold with {sign}: write {self.example}.")
        value = self._value(sign, threshold)
        if self._call.must_be_awaited:
            words = "at_least" if keyword == self.AT_LEAST else "at_most"
            raise BadArgument(
                f"{self._call.functions}: an async def is measured on the test's own event loop, so the answer has "
                f"to be awaited. Write assert await {self._call.spelled}.{words}({threshold!r})."
            )
        holds = self._taken(self._call.decided({keyword: value}), sys._getframe(2))
        refuse_discarded(sys._getframe(2), self._label(keyword, value))
        return holds

    def _taken(self, outcome: Outcome, frame: FrameType) -> bool:
        """Take an outcome, report it, and return whether it counts as met.

        :param frame: the test's, which may negate the comparison.
        """
        self._take(replace(outcome, negated=outcome.verdict == "not_met" and is_in_a_negation(frame)))
        self._call.report(self.outcome)
        return self._call.follow(outcome)

    def _decided(self, holds: bool, words: str, threshold: object) -> Decided:
        if not holds and self.outcome is not None:
            self._call.explain(self.outcome)
        shown = f"{self!r} {'is' if holds else 'is not'} {words} {threshold}"
        return Decided(holds, shown, "" if self._call.is_async else self._call.functions)

    def _parse(self, threshold: object) -> float:
        """Return a threshold as a number.

        :raises ValueError: it has no meaning; the message says what a threshold must be.
        """
        raise NotImplementedError

    def _value(self, words: str, threshold: object) -> float:
        try:
            return self._parse(threshold)
        except ValueError as error:
            self._take_as_asked()
            raise BadArgument(
                f"{self.NOUN} cannot be compared with {threshold!r} ({words}): the threshold {error}."
            ) from None

    def _label(self, keyword: str, value: float) -> str:
        return label(self._call.name, {keyword: value}, self.AT_MOST)

    def _short(self, outcome: Outcome) -> str:
        raise NotImplementedError


def label(name: str, threshold: Mapping[str, float], at_most: str | None = "at_most") -> str:
    """Return a comparison as text: ``concurrency.speedup >= 3``."""
    keyword, value = next(iter(threshold.items()))
    shown = duration(value) if keyword.startswith("max_") else number(value)
    return f"concurrency.{name} {'<=' if keyword == at_most else '>='} {shown}"
