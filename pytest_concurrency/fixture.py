"""The ``concurrency`` fixture: the engine in the hands of the test."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pytest_concurrency import explain
from pytest_concurrency.backends.job import WithInput
from pytest_concurrency.claims import OverlapClaim, ShareClaim
from pytest_concurrency.classify import COMPUTES, WAITS
from pytest_concurrency.comparison import ComparisonBench, ComparisonClaim, too_few_cpus
from pytest_concurrency.errors import BadArgument
from pytest_concurrency.expectations import keywords, speedup, where
from pytest_concurrency.expectations.base import Limits
from pytest_concurrency.gate import Again
from pytest_concurrency.gauge import Gauge
from pytest_concurrency.judge import judge
from pytest_concurrency.machine import usable_cpus
from pytest_concurrency.measure import settle
from pytest_concurrency.model import Body, BoundKind, Estimate, Outcome
from pytest_concurrency.plan import Plan, Setup
from pytest_concurrency.survey import Figures, survey
from pytest_concurrency.trial import Circumstances, Question, Trial
from pytest_concurrency.units import count, number

__tracebackhide__ = True  # a failure is told at the test's own line
_KINDS = ("io", "cpu", "mixed", "serialized")


class Concurrency:
    """What a test asks of code that it gives: how much faster, and why.

    ``report`` takes every outcome; ``follow`` turns one that is neither met nor broken into what the
    undecided policy says, and returns whether it counts as met.
    """

    def __init__(
        self,
        circumstances: Circumstances,
        report: Callable[[Outcome], None],
        follow: Callable[[Outcome, str], bool],
    ) -> None:
        self._circumstances = circumstances
        self._report = report
        self._follow = follow
        self._gauge = Gauge()

    def speedup(self, function: Callable[..., Any], *args: Any, **options: Any) -> Speedup:
        """Return how many times faster N workers do N calls than one does; compare it with ``>=`` or ``<=``.

        :param function: called with ``args`` in every worker; ``async def`` with ``tasks=``.
        :param options: one of ``threads=``, ``processes=``, ``tasks=``, ``interpreters=``, or ``executor=`` with
            ``workers=``; ``margin=``, ``max_time=``, ``undecided=``; ``setup=``, a function whose result is
            what ``function`` gets as its first argument, made anew for each batch of each worker.
        :raises BadArgument: an option has no meaning.
        """
        arguments = keywords.read("concurrency.speedup", (), options, where.parsers())
        body = _body(function, args, arguments.get("setup"))
        if where.the_one("concurrency.speedup", arguments, body.is_async) is None:
            raise where.needed("concurrency.speedup")

        def decide(threshold: dict[str, float]) -> Outcome:
            given = {**arguments, **threshold}
            speedup.KIND.check("concurrency.speedup", given, body.is_async)
            limits = self._limits(arguments)
            plan = speedup.KIND.plan(given, body, limits)
            with self._circumstances.alone(), Trial(body, self._circumstances) as trial:
                asked = Question(_label("speedup", threshold), "speedup", {**options, **threshold}, plan, limits)
                return trial.decide(asked)[0]

        return Speedup(
            decide, self._told(body), lambda outcome: self._follow(outcome, self._limits(arguments).undecided)
        )

    def compare(
        self, first: Callable[[], Any], second: Callable[[], Any], *, same_result: bool = False, **options: Any
    ) -> Speedup:
        """Return how many times faster ``second`` is than ``first``; compare it with ``>=`` or ``<=``.

        Both are called without arguments in the test's own thread, and may start threads, processes or
        event loops of their own.

        :param same_result: also require that both return equal values.
        :raises BadArgument: an option has no meaning.
        """
        arguments = keywords.read("concurrency.compare", (), options, {})
        if "setup" in arguments:
            raise BadArgument("concurrency.compare has no setup=: each function prepares what it needs itself.")
        limits = self._limits(arguments)
        for function in (first, second):
            if not callable(function):
                raise BadArgument(f"concurrency.compare needs two functions, and {function!r} cannot be called.")

        def decide(threshold: dict[str, float]) -> Outcome:
            gate = self._circumstances.gate
            outcome = once(threshold)
            return gate.look(outcome, lambda: Again(once(threshold))) if gate is not None else outcome

        def once(threshold: dict[str, float]) -> Outcome:
            if same_result and (one := first()) != (two := second()):
                raise AssertionError(f"the two do not compute the same: {one!r:.200} against {two!r:.200}")
            claims = tuple(
                ComparisonClaim(1, value, limits.margin, at_most=name == "at_most") for name, value in threshold.items()
            )
            with self._circumstances.alone():
                bench = ComparisonBench(first, second)
                plan = Plan(
                    setup=Setup("compare", max(1, int(usable_cpus()))),
                    claims=claims,
                    unmeasurable=functools.partial(too_few_cpus, threshold.get("at_least", 0.0)),
                )
                try:
                    settlement = settle(
                        self._circumstances.extended(plan), bench, limits.max_time, self._circumstances.progress
                    )
                finally:
                    bench.close()
                return judge(
                    _label("compare", threshold),
                    "compare",
                    {**options, **threshold},
                    plan,
                    settlement,
                    bench.note(plan.setup),
                    bench.interference(),
                )

        return Speedup(decide, self._told(_body(second, ())), lambda outcome: self._follow(outcome, limits.undecided))

    def bound(self, function: Callable[..., Any], *args: Any, **options: Any) -> BoundFinding:
        """Return the bound type of a call, to be compared with ``"io"``, ``"cpu"``, ``"mixed"`` or ``"serialized"``.

        :param options: ``threads=4`` (or ``tasks=4``), by which waits that queue are told from waits that
            overlap; ``margin=``, ``max_time=``, ``undecided=``.
        :raises BadArgument: an option has no meaning.
        """
        known = {name: keywords.workers(name) for name in ("threads", "tasks")}
        arguments = keywords.read("concurrency.bound", (), options, known)
        body = _body(function, args, arguments.get("setup"))
        limits = self._limits(arguments)
        backend = "tasks" if body.is_async else "threads"
        workers = arguments.get(backend, 4)
        plan = Plan(
            setup=Setup(backend, workers),
            claims=(
                ShareClaim("cpu", WAITS * (1 + limits.margin) ** 0.5, limits.margin, careful=()),
                ShareClaim("cpu", COMPUTES * (1 + limits.margin) ** 0.5, limits.margin, careful=()),
                OverlapClaim(workers, limits.margin),
            ),
            # More than a quarter, more than three quarters, and where it waits: do the waits overlap.
            answered=lambda said: said[1] == "met" or (said[1] == "broken" and (said[0] == "met" or None not in said)),
        )

        def decide() -> Outcome:
            with self._circumstances.alone(), Trial(body, self._circumstances) as trial:
                outcome, settlement = trial.decide(Question("bound", "bound", options, plan, limits))
            if settlement is None:
                return outcome
            return _bound_outcome(outcome, [result.verdict for result in settlement.results])

        return BoundFinding(decide, self._told(body), lambda outcome: self._follow(outcome, limits.undecided))

    def measure(self, function: Callable[..., Any], *args: Any, **options: Any) -> Figures:
        """Measure a call at once, and return every figure without a verdict.

        :param options: any of the places that :meth:`speedup` knows; ``max_time=``; ``setup=``.
        """
        arguments = keywords.read("concurrency.measure", (), options, where.parsers())
        body = _body(function, args, arguments.get("setup"))
        limits = self._limits(arguments)
        chosen = where.chosen("concurrency.measure", arguments, body.is_async)
        setups = [place.setup(place.size) for place in chosen]
        setups = setups or [Setup("tasks" if body.is_async else "threads")]
        with self._circumstances.alone(), Trial(body, self._circumstances) as trial:
            return survey(trial, setups, limits)

    def in_flight(self) -> Gauge:
        """Return this test's gauge: a ``with`` block that counts how many are inside at the same time.

        The same one at each call, so that workers can enter it where they work and the test reads
        ``.peak`` afterwards.
        """
        return self._gauge

    def _told(self, body: Body) -> Callable[[Outcome], None]:
        """What takes the outcomes about a body: the report, and a profiler if one was asked for."""

        def take(outcome: Outcome) -> None:
            self._report(outcome)
            if self._circumstances.profiler is not None:
                self._circumstances.profiler(body, [outcome])

        return take

    def _limits(self, arguments: Mapping[str, Any]) -> Limits:
        return self._circumstances.defaults.overridden(arguments)


class Speedup:
    """A speedup that is measured when it is compared with a number."""

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

    def __ge__(self, threshold: float) -> bool:
        return self._answer("at_least", threshold)

    def __gt__(self, threshold: float) -> bool:
        return self._answer("at_least", threshold)

    def __le__(self, threshold: float) -> bool:
        return self._answer("at_most", threshold)

    def __lt__(self, threshold: float) -> bool:
        return self._answer("at_most", threshold)

    def __bool__(self) -> bool:
        raise BadArgument(
            "a speedup is neither true nor false: compare it with a number, "
            "as in `assert concurrency.speedup(fetch, url, threads=4) >= 3`."
        )

    def __eq__(self, other: object) -> bool:
        raise BadArgument("a measured speedup never equals a number exactly: use >= or <=.")

    __hash__ = None  # type: ignore[assignment]

    def _answer(self, keyword: str, threshold: float) -> bool:
        try:
            value = keywords.positive(threshold)
        except ValueError as error:
            raise BadArgument(f"a speedup cannot be compared with {threshold!r}: the threshold {error}.") from None
        self.outcome = outcome = self._decide({keyword: value})
        self._report(outcome)
        return self._follow(outcome)

    def __repr__(self) -> str:
        return _short(self.outcome) if self.outcome else "<speedup, not measured yet: compare it with >= or <=>"


class BoundFinding:
    """A bound type that is measured when it is asked for; equal to its name.

    Undecided findings follow the undecided policy.
    """

    def __init__(
        self,
        decide: Callable[[], Outcome],
        report: Callable[[Outcome], None],
        follow: Callable[[Outcome], bool],
    ) -> None:
        self._decide = decide
        self._report = report
        self._follow = follow
        self.outcome: Outcome | None = None

    @property
    def kind(self) -> str:
        """``"io"``, ``"cpu"``, ``"mixed"`` or ``"serialized"``: the likeliest, if it is undecided."""
        bound = self._measured(None).bound
        return bound.kind if bound is not None else "unknown"

    def _measured(self, expected: str | None) -> Outcome:
        if self.outcome is None:
            outcome = self._decide()
            if expected is not None:
                outcome = replace(outcome, arguments={**outcome.arguments, "expected": expected})
                if outcome.verdict == "met" and outcome.bound is not None and outcome.bound.kind != expected:
                    found = f"expected bound {expected!r}, found {outcome.bound.kind!r}: {outcome.bound.evidence}"
                    outcome = replace(outcome, verdict="broken", reason=found)
            self.outcome = outcome
            self._report(outcome)
        return self.outcome

    def __eq__(self, other: object) -> bool:
        if isinstance(other, BoundFinding):
            return self.kind == other.kind
        if other not in _KINDS:
            raise BadArgument(f"{other!r} is not a bound type: compare with {', '.join(map(repr, _KINDS))}.")
        outcome = self._measured(str(other))
        if outcome.change is not None:
            self._follow(outcome)
        if outcome.verdict in ("met", "broken"):
            return self.kind == other
        return self._follow(outcome)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.kind)

    def __str__(self) -> str:
        return self.kind

    def __repr__(self) -> str:
        outcome = self._measured(None)
        if outcome.bound is None:
            return f"<bound {outcome.verdict}: {outcome.reason}>"
        return f"<bound {outcome.bound.kind!r}: {outcome.bound.evidence}; {count(outcome.rounds, 'round')}>"


def _bound_outcome(outcome: Outcome, said: list[str]) -> Outcome:
    """Turn the verdicts on the three claims into one about the kind."""
    assert outcome.bound is not None
    kind: BoundKind
    if said[1] == "met":
        kind = "cpu"
    elif said[1] == "broken" and said[0] == "met":
        kind = "mixed"
    elif said[0] == "broken" and said[2] in ("met", "broken"):
        kind = "io" if said[2] == "met" else "serialized"
    else:
        return replace(outcome, verdict="undecided")
    share = Estimate(outcome.bound.cpu_share, outcome.bound.cpu_share, outcome.bound.cpu_share, "share")
    found = replace(outcome.bound, kind=kind)
    return replace(outcome, verdict="met", reason="", bound=found, estimate=share, threshold=None, claim="computing")


def _body(function: Callable[..., Any], args: tuple[Any, ...], prepare: Callable[[], Any] | None = None) -> Body:
    if not callable(function):
        raise BadArgument(f"{function!r} cannot be called: give a function, and its arguments after it.")
    name = getattr(function, "__name__", type(function).__name__)
    return Body(
        function if prepare is None else WithInput(function),
        positional=args,
        is_async=inspect.iscoroutinefunction(function),
        label=f"{name}()",
        prepare=prepare,
    )


def _label(name: str, threshold: Mapping[str, float]) -> str:
    sign = ">=" if "at_least" in threshold else "<="
    return f"concurrency.{name} {sign} {number(next(iter(threshold.values())))}"


def _short(outcome: Outcome) -> str:
    bound = f", bound: {outcome.bound.kind}" if outcome.bound else ""
    return (
        f"<speedup {explain.figure(outcome.estimate)} with {outcome.workers}{bound}, {count(outcome.rounds, 'round')}>"
    )
