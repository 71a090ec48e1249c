"""The objects that calls of the ``concurrency`` fixture return. Comparing one with a threshold measures it."""

from __future__ import annotations

from typing import ClassVar

from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.core.outcomes import Outcome, Point
from pytest_concurrency.core.units import count
from pytest_concurrency.engine.scaling_laws import best_of, knee_of, peak_of
from pytest_concurrency.expectations import keywords
from pytest_concurrency.session.calls.answers import Answer
from pytest_concurrency.session.calls.threshold_finding import ThresholdFinding
from pytest_concurrency.verdicts import not_met
from pytest_concurrency.verdicts.outcome import met

__tracebackhide__ = True  # pytest shows a failure at the line of the test


class Speedup(ThresholdFinding):
    """How many times as fast several workers are as one worker, or the candidate as the baseline: a ratio of times.

    ``>=``, ``>`` and :meth:`at_least` measure until the speedup is known to be at the threshold, or below it by more
    than the margin; ``<=``, ``<`` and :meth:`at_most` are the same from above. An undecided comparison follows the
    undecided policy. If this machine cannot show the speedup, the test is skipped.

    A comparison raises what the measured code raises, and these:

    :raises BadArgument: the threshold cannot be used, the answer is not used, or it has to be awaited.
    :raises WorkerLost: a worker could not start, died or hung.
    :raises NotPicklable: the function or an argument cannot be sent to another process.
    :raises UndecidedExpectation: it is undecided, with ``undecided="fail"``.
    :raises ExpectationNotMet: the calls have left something running, with ``leftovers="fail"``, or are slower than the
        baseline allows.
    """

    AT_LEAST: ClassVar[str | None] = "at_least"
    AT_MOST: ClassVar[str | None] = "at_most"
    NOUN: ClassVar[str] = "a speedup"
    COMPARISON: ClassVar[str] = ">= 2"
    METHOD: ClassVar[str] = ".at_least(2)"

    def _parse(self, threshold: object) -> float:
        return keywords.positive(threshold)

    def _short(self, outcome: Outcome) -> str:
        who = "" if outcome.marker == "compare" else f" with {outcome.workers}"
        kind = f", bound: {outcome.bound.kind}" if outcome.bound else ""
        return f"<speedup {not_met.figure(outcome.estimate)}{who}{kind}, {count(outcome.rounds, 'round')}>"

    def at_least(self, threshold: float) -> Answer:
        """Measure, and return whether the speedup is at least this: the same as ``>=``.

        On a running event loop, the answer for an async function is awaited:
        ``assert await concurrency.speedup(client.get, "/slow", tasks=10).at_least(5)``.

        :param threshold: a number above 0; 3 stands for 3x as fast.
        :raises BadArgument: the threshold cannot be used, or the answer is not used.
        """
        return self._asked_for("at_least", "at least", threshold)

    def at_most(self, threshold: float) -> Answer:
        """Measure, and return whether the speedup is at most this: the same as ``<=``.

        The answer is awaited where that of :meth:`at_least` is.

        :param threshold: a number above 0; 1.2 stands for 1.2x as fast.
        :raises BadArgument: the threshold cannot be used, or the answer is not used.
        """
        return self._asked_for("at_most", "at most", threshold)


class Efficiency(ThresholdFinding):
    """Speedup divided by workers, at the count at which it is lowest: 1 is perfect, and more is superlinear.

    ``>=``, ``>`` and :meth:`at_least` measure each count until all are known to be at the threshold, or one is not.
    """

    AT_LEAST: ClassVar[str | None] = "efficiency"
    NOUN: ClassVar[str] = "an efficiency"
    COMPARISON: ClassVar[str] = ">= 0.7"
    METHOD: ClassVar[str] = ".at_least(0.7)"

    def _parse(self, threshold: object) -> float:
        return keywords.part(threshold)

    def at_least(self, threshold: float) -> Answer:
        """Measure, and return whether the efficiency is at least this at every count: the same as ``>=``.

        The answer is awaited where that of :meth:`Speedup.at_least` is.

        :param threshold: a share above 0 and at most 1.
        :raises BadArgument: the threshold cannot be used, or the answer is not used.
        """
        return self._asked_for("efficiency", "at least", threshold)

    def _short(self, outcome: Outcome) -> str:
        points = ", ".join(f"{point.efficiency:.2f} with {point.workers}" for point in outcome.curve)
        kind = f", bound: {outcome.bound.kind}" if outcome.bound else ""
        return f"<efficiency {points or 'unknown'} workers{kind}, {count(outcome.rounds, 'round')}>"


class PoolScaling(Efficiency):
    """Efficiency of a pool that the measured function makes itself, at the pool size at which it is lowest.

    The speedup of each size is that over the first one, and its efficiency the speedup divided by how many times as
    many workers there are. :attr:`best`, :attr:`knee`, :attr:`peak` and :attr:`curve` measure some rounds of each size
    if nothing was compared before.

    :raises BadArgument: one of these four was read, and nothing could be measured, or an ``async def`` was not
        compared and awaited before.
    """

    NOUN: ClassVar[str] = "an efficiency"

    @property
    def curve(self) -> tuple[Point, ...]:
        """Each size after the first, with its ``.workers``, ``.speedup`` (an estimate, a ratio) and ``.efficiency``."""
        outcome = self.outcome
        if outcome is None:
            self._take_as_asked()
            if self._call.must_be_awaited:
                raise BadArgument(
                    f"{self._call.functions}: an async def is measured on the test's own event loop, so it has to be "
                    f"compared and awaited before its curve is read: write assert {self.example}."
                )
            outcome = self._take(self._call.decided({}))
            self._call.follow(met(outcome))  # what was left running may fail the test
        return outcome.curve

    @property
    def best(self) -> int:
        """The pool size with the largest measured speedup; the smallest of those that have the same."""
        return best_of(self._known_curve())

    @property
    def knee(self) -> int:
        """The smallest pool size beyond which no other is more than 10% faster; the largest if each step helps."""
        return knee_of(self._known_curve())

    @property
    def peak(self) -> int | None:
        """The pool size at which the Universal Scalability Law has its largest throughput, rounded.

        For p times as many workers, the law is ``p / (1 + a*(p - 1) + b*p*(p - 1))``, fitted by least squares, with its
        peak at ``sqrt((1 - a) / b)`` (Gunther, *Guerrilla Capacity Planning*, 2007, chapter 4). None if the sizes do
        not identify it: that takes three sizes after the first, and a throughput that falls.
        """
        peak = peak_of(self._known_curve())
        return None if peak is None else round(peak)

    def _known_curve(self) -> tuple[Point, ...]:
        curve = self.curve
        if not curve:
            reason = self.outcome.reason if self.outcome is not None else ""
            raise BadArgument(f"{self._call.spelled} has no curve, because nothing could be measured: {reason}")
        return curve


class _LongestTime(ThresholdFinding):
    THRESHOLD: ClassVar[str] = "a duration"
    COMPARISON: ClassVar[str] = '<= "50ms"'
    METHOD: ClassVar[str] = '.at_most("50ms")'

    def _parse(self, threshold: object) -> float:
        return keywords.short_time(threshold)

    def _short(self, outcome: Outcome) -> str:
        noun = self.NOUN.partition(" ")[2]
        return f"<longest {noun} {not_met.figure(outcome.estimate)}, {count(outcome.rounds, 'round')}>"


class GilHold(_LongestTime):
    """The longest time for which a call holds the GIL without a break, in seconds.

    ``<=``, ``<`` and :meth:`at_most` measure until it is known whether any hold is longer than the threshold.
    """

    AT_MOST: ClassVar[str | None] = "max_hold"
    NOUN: ClassVar[str] = "a GIL hold"
    COMPARISON: ClassVar[str] = '<= "5ms"'
    METHOD: ClassVar[str] = '.at_most("5ms")'

    def at_most(self, threshold: float | str) -> Answer:
        """Measure, and return whether no hold is longer than this: the same as ``<=``.

        :param threshold: seconds, or text such as ``"5ms"``; 1 ms or more.
        :raises BadArgument: the threshold cannot be used, or the answer is not used.
        """
        return self._asked_for("max_hold", "at most", threshold)


class LoopBlock(_LongestTime):
    """The longest time for which an async call keeps its event loop from running, in seconds.

    ``<=``, ``<`` and :meth:`at_most` measure until it is known whether any block is longer than the threshold.
    """

    AT_MOST: ClassVar[str | None] = "max_block"
    NOUN: ClassVar[str] = "a loop block"

    def at_most(self, threshold: float | str) -> Answer:
        """Measure, and return whether no block is longer than this: the same as ``<=``.

        On a running event loop, the answer is awaited:
        ``assert await concurrency.loop_block(handler, request).at_most("50ms")``.

        :param threshold: seconds, or text such as ``"50ms"``; 5 ms or more.
        :raises BadArgument: the threshold cannot be used, or the answer is not used.
        """
        return self._asked_for("max_block", "at most", threshold)
