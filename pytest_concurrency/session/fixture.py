"""The ``concurrency`` fixture: the engine in the hands of the test."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import FrameType
from typing import Any

from pytest_concurrency.backends.batch import ALONE, WithInput, current_worker
from pytest_concurrency.core import callables
from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.core.model import Body, BoundKind, Estimate, Outcome
from pytest_concurrency.core.units import count, number
from pytest_concurrency.engine.bound_type import COMPUTES, WAITS
from pytest_concurrency.engine.claims import OverlapClaim, ShareClaim
from pytest_concurrency.engine.plan import Plan, WorkerSetup
from pytest_concurrency.engine.procedure import settle
from pytest_concurrency.engine.settlement import Result
from pytest_concurrency.expectations import keywords, placement, speedup
from pytest_concurrency.expectations.base import Tolerances
from pytest_concurrency.instruments.block_guard import NonblockingBlock
from pytest_concurrency.instruments.call_watch import CallWatch
from pytest_concurrency.instruments.gauge import Gauge
from pytest_concurrency.instruments.loop_monitor import pause
from pytest_concurrency.instruments.rendezvous import Rendezvous
from pytest_concurrency.measurement import callable_bench
from pytest_concurrency.measurement.figures import Figures, measure_figures
from pytest_concurrency.measurement.trial import Request, SessionContext, Trial
from pytest_concurrency.session.instruments import Instruments
from pytest_concurrency.session.same_result import check_same
from pytest_concurrency.session.unused_comparisons import is_discarded
from pytest_concurrency.verdicts import not_met, undecided
from pytest_concurrency.verdicts.outcome import judge

__tracebackhide__ = True  # a failure is told at the test's own line
_KINDS = ("io", "cpu", "mixed", "serialized")


class Concurrency:
    """What a test asks of code that it gives: how much faster, and why.

    ``report`` takes every outcome, and the one before if it stands instead of that; ``follow`` turns one that is
    neither met nor not met into what the undecided policy says, and returns whether it counts as met.
    """

    def __init__(
        self,
        circumstances: SessionContext,
        report: Callable[..., None],
        follow: Callable[[Outcome, str], bool],
        instruments: Instruments | None = None,
    ) -> None:
        self._instruments = instruments or Instruments()
        self._circumstances = circumstances
        self._report = report
        self._follow = follow
        self._made: list[tuple[str, Speedup | BoundFinding]] = []

    def speedup(self, function: Callable[..., Any], *args: Any, **options: Any) -> Speedup:
        """Return how many times faster N workers do N calls than one does; compare it with ``>=`` or ``<=``.

        :param function: called with ``args`` in every worker; ``async def`` with ``tasks=``.
        :param options: one of ``threads=``, ``processes=``, ``tasks=``, ``interpreters=``, or ``executor=`` with
            ``workers=``; ``setup=``, a function whose result is what ``function`` gets as its first argument,
            made anew for each batch of each worker; and what every marker knows: ``margin=``, a part of the
            threshold, ``max_time=``, in seconds or as text (``"2min"``), and ``undecided=``.
        :raises BadArgument: an option has no meaning.
        """
        _refuse_nested("concurrency.speedup")
        arguments = keywords.read("concurrency.speedup", (), options, placement.parsers(), calls=True)
        body = _body(function, args, arguments.get("setup"))
        if placement.the_one("concurrency.speedup", arguments, body.is_async) is None:
            raise placement.needed("concurrency.speedup")

        def decide(threshold: dict[str, float]) -> Outcome:
            given = {**arguments, **threshold}
            speedup.KIND.check("concurrency.speedup", given, body.is_async)
            limits = self._limits(arguments)
            plan = speedup.KIND.plan(given, body, limits)
            with self._circumstances.alone(), Trial(body, self._circumstances, limits.max_time) as trial:
                asked = Request(_label("speedup", threshold), "speedup", {**options, **threshold}, plan, limits)
                return trial.decide(asked)[0]

        found = Speedup(
            decide, self._told(body), lambda outcome: self._follow(outcome, self._limits(arguments).undecided)
        )
        self._made.append((f"concurrency.speedup({callables.name_of(function)}, ...)", found))
        return found

    def compare(
        self, first: Callable[[], Any], second: Callable[[], Any], *, same_result: bool = False, **options: Any
    ) -> Speedup:
        """Return how many times faster ``second`` is than ``first``; compare it with ``>=`` or ``<=``.

        Both are called without arguments in the test's own thread, and may start threads, processes or
        event loops of their own.

        :param same_result: also require that both return equal values.
        :param options: ``margin=``, ``max_time=`` and ``undecided=``, as :meth:`speedup` takes them.
        :raises BadArgument: an option has no meaning.
        """
        _refuse_nested("concurrency.compare")
        arguments = keywords.read("concurrency.compare", (), options, {})
        if "setup" in arguments:
            raise BadArgument("concurrency.compare has no setup=: each function prepares what it needs itself.")
        limits = self._limits(arguments)
        for function in (first, second):
            if not callable(function):
                raise BadArgument(f"concurrency.compare needs two functions, and {function!r} cannot be called.")
            _refuse_generator(function)
            if callables.is_async(function):
                name = callables.name_of(function)
                raise BadArgument(
                    f"concurrency.compare calls plain functions, and {name} is an async def: "
                    f"write lambda: asyncio.run({name}())."
                )

        def decide(threshold: dict[str, float]) -> Outcome:
            gate = self._circumstances.gate
            outcome = once(threshold)
            return gate(outcome, lambda: once(threshold)) if gate is not None else outcome

        def once(threshold: dict[str, float]) -> Outcome:
            if same_result:
                check_same(first(), second())
            plan = self._circumstances.extended(callable_bench.plan_for(threshold, limits))
            with (
                self._circumstances.alone(),
                contextlib.closing(callable_bench.CallableBench(first, second)) as bench,
            ):
                settlement = settle(plan, bench, limits.max_time, self._circumstances.progress)
                return judge(
                    _label("compare", threshold),
                    "compare",
                    {**options, **threshold},
                    plan,
                    settlement,
                    note=bench.note(plan.setup),
                    interference=bench.interference(),
                )

        body = _body(second, ())
        found = Speedup(decide, self._told(body), lambda outcome: self._follow(outcome, limits.undecided))
        names = ", ".join(callables.name_of(one) for one in (first, second))
        self._made.append((f"concurrency.compare({names})", found))
        return found

    def bound(self, function: Callable[..., Any], *args: Any, **options: Any) -> BoundFinding:
        """Return the bound type of a call, to be compared with ``"io"``, ``"cpu"``, ``"mixed"`` or ``"serialized"``.

        :param options: ``threads=4`` (or ``tasks=4``), by which waits that queue are told from waits that
            overlap; ``margin=``, ``max_time=`` and ``undecided=``, as :meth:`speedup` takes them.
        :raises BadArgument: an option has no meaning.
        """
        _refuse_nested("concurrency.bound")
        arguments = keywords.read("concurrency.bound", (), options, placement.overlap_parsers(), calls=True)
        body = _body(function, args, arguments.get("setup"))
        limits = self._limits(arguments)
        backend, workers = placement.overlapping("concurrency.bound", arguments, body.is_async)
        plan = Plan(
            setup=WorkerSetup(backend, workers),
            claims=(
                ShareClaim("cpu", WAITS * (1 + limits.margin) ** 0.5, limits.margin, needs_confirmation_on=()),
                ShareClaim("cpu", COMPUTES * (1 + limits.margin) ** 0.5, limits.margin, needs_confirmation_on=()),
                OverlapClaim(workers, limits.margin),
            ),
            # More than a quarter, more than three quarters, and where it waits: do the waits overlap.
            answered=lambda said: said[1] == "met" or (said[1] == "not_met" and (said[0] == "met" or None not in said)),
            all_must_hold=False,
        )

        def decide() -> Outcome:
            with self._circumstances.alone(), Trial(body, self._circumstances, limits.max_time) as trial:
                outcome, settlement = trial.decide(Request("bound", "bound", options, plan, limits))
            if settlement is None:
                return outcome
            return _bound_outcome(outcome, settlement.results)

        found = BoundFinding(decide, self._told(body), lambda outcome: self._follow(outcome, limits.undecided))
        self._made.append((f"concurrency.bound({callables.name_of(function)}, ...)", found))
        return found

    def measure(self, function: Callable[..., Any], *args: Any, **options: Any) -> Figures:
        """Measure a call at once, and return every figure without a verdict.

        :param options: any of the places that :meth:`speedup` knows, several of them too; ``max_time=``, in
            seconds or as text; ``setup=``.
        :raises BadArgument: an option has no meaning.
        """
        _refuse_nested("concurrency.measure")
        arguments = keywords.read("concurrency.measure", (), options, placement.parsers(), calls=True)
        body = _body(function, args, arguments.get("setup"))
        limits = self._limits(arguments)
        chosen = placement.chosen("concurrency.measure", arguments, body.is_async)
        setups = [place.setup(place.size) for place in chosen]
        setups = setups or [WorkerSetup("tasks" if body.is_async else "threads")]
        with self._circumstances.alone(), Trial(body, self._circumstances, limits.max_time) as trial:
            return measure_figures(trial, setups, limits)

    def in_flight(
        self, *, meet: int | None = None, limit: int | None = None, timeout: float | str = "30s"
    ) -> Gauge | Rendezvous:
        """Count how many are inside a block at the same time, which needs no clock and holds on a busy machine.

        Without arguments, return this test's gauge, the same one at each call: workers enter it where they work
        (``with`` in threads, ``async with`` in tasks), and the test reads ``.peak`` afterwards.

        With ``meet``, return a new rendezvous: whoever enters waits until so many are inside at one moment; then all
        go on, and it counts on. If they do not meet, all who wait raise an ``AssertionError``, and the test fails.
        Pass it as an argument to other processes; there it works too.

        :param meet: 2 or more. At most as many as the pool that feeds it has workers.
        :param limit: prove a cap both ways: so many are inside at once (``meet`` is this number, if it is not given),
            and never more. Those who met stay inside for 20 looks of 5 ms, in which one too many would be seen.
        :param timeout: seconds, or text such as ``"30s"``: how long one waits for the others.
        :raises BadArgument: an argument has no meaning; or at entering: twice in one worker, by ``with`` in the
            thread of an event loop, inside a measured body, in another test than the one that made it.

        ::

            meeting = concurrency.in_flight(meet=3)

            def fetch(url):
                with meeting:
                    return client.get(url)

            with ThreadPoolExecutor(3) as pool:
                list(pool.map(fetch, urls))
        """
        return self._instruments.in_flight(meet, limit, timeout)

    def nonblocking(self, max_block: float | str = "50ms") -> NonblockingBlock:
        """Return a ``with`` or ``async with`` block that must leave its event loop free, in this one ordinary run.

        It fails with an ``AssertionError`` that names the line if the loop could surely not run what was due for
        longer. What else made the loop late is taken off: run-queue delay, the hypervisor, the GIL in other threads,
        collections of the garbage collector that no line has called. Where one sighting cannot tell (within 2.5 ms
        above the limit, or if any of these took part), the test is undecided at its end.

        :param max_block: seconds, or text such as ``"20ms"``; 5 ms or more.
        :raises BadArgument: ``max_block`` has no meaning; or at entering, no event loop runs there.

        ::

            async def test_handler(concurrency, request):
                prepare()  # may block
                async with concurrency.nonblocking("20ms"):
                    await handler(request)
        """
        return self._instruments.nonblocking(max_block)

    def pause(self) -> contextlib.AbstractContextManager[None]:
        """Return a ``with`` block that may block its event loop under ``--concurrency-max-block`` and nonblocking()."""
        return pause()

    def watch(self, name: str) -> CallWatch:
        """Watch a function or method that cannot be edited until this test ends: which of its calls overlap.

        Plain and async functions, methods, class methods and static methods; in threads, tasks, and processes that are
        forked meanwhile. Modules that have imported the function by name are served too. Then ``.peak`` is the most
        threads and tasks that were inside at one moment and ``.overlapped`` whether two were, both by the order of
        events, without a clock; ``.calls`` has the times in seconds; ``.trace(path)`` writes a file for Perfetto.
        The original is back when the test has ended, whatever happens.

        :param name: ``"module:function"`` or ``"module:Class.method"``.
        :raises BadArgument: there is no such name, or what it names cannot be watched: a class, a property, a
            generator, a method of a built-in type.

        ::

            calls = concurrency.watch("shop.web:Client.get")
            fan_out(urls)
            assert calls.peak >= 3
        """
        return self._instruments.watch(name)

    def gauge_says_nothing(self) -> bool:
        """Return whether the peak of :meth:`in_flight` was read, and is 1 whatever the workers do."""
        return self._instruments.plain_gauge.says_nothing

    def never_asked(self) -> list[tuple[str, str]]:
        """Return the calls whose findings no one has compared with anything, each with a comparison that would do."""
        return [(call, finding.COMPARISON) for call, finding in self._made if not finding.asked]

    def _told(self, body: Body) -> Callable[..., None]:
        """What takes the outcomes about a body: the report, and a profiler if one was asked for."""

        def take(outcome: Outcome, instead: Outcome | None = None) -> None:
            self._report(outcome, instead)
            if self._circumstances.profiler is not None:
                self._circumstances.profiler(body, [outcome])

        return take

    def _limits(self, arguments: Mapping[str, Any]) -> Tolerances:
        return self._circumstances.defaults.overridden(arguments)


class Speedup:
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
        _refuse_discarded(sys._getframe(2), _label(outcome.marker, {keyword: value}))
        return answer

    def __repr__(self) -> str:
        return _short(self.outcome) if self.outcome else "<speedup, not measured yet: compare it with >= or <=>"


class BoundFinding:
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
                found = f"expected bound {expected}, found {outcome.bound.kind!r}: {outcome.bound.evidence}"
                outcome = replace(outcome, verdict="not_met", reason=found)
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


def _bound_outcome(outcome: Outcome, results: Sequence[Result]) -> Outcome:
    """Turn the verdicts on the three claims into one about the kind."""
    assert outcome.bound is not None
    said = [result.verdict for result in results]
    kind: BoundKind
    if said[1] == "met":
        kind = "cpu"
    elif said[1] == "not_met" and said[0] == "met":
        kind = "mixed"
    elif said[0] == "not_met" and said[2] in ("met", "not_met"):
        kind = "io" if said[2] == "met" else "serialized"
    else:
        still_open = (undecided.words(result.reason) for result in results if result.verdict == "undecided")
        reason = next(still_open, "it lies between two kinds")
        return replace(outcome, verdict="undecided", reason=reason)
    share = Estimate(outcome.bound.cpu_share, outcome.bound.cpu_share, outcome.bound.cpu_share, "share")
    found = replace(outcome.bound, kind=kind)
    return replace(outcome, verdict="met", reason="", bound=found, estimate=share, threshold=None, claim="computing")


def _body(function: Callable[..., Any], args: tuple[Any, ...], prepare: Callable[[], Any] | None = None) -> Body:
    if not callable(function):
        raise BadArgument(f"{function!r} cannot be called: give a function, and its arguments after it.")
    _refuse_generator(function)
    return Body(
        function if prepare is None else WithInput(function),
        positional=args,
        is_async=callables.is_async(function),
        label=f"{callables.name_of(function)}()",
        prepare=prepare,
    )


def _refuse_nested(name: str) -> None:
    """See to it that nothing is measured inside of what is measured, again and again and by each worker.

    :raises BadArgument: a worker asks.
    """
    if current_worker.get() != ALONE:
        raise BadArgument(
            f"{name} was called inside a body that is itself being measured. Measure in a test without a marker, and "
            "outside of the function that it gives to the fixture."
        )


def _refuse_discarded(frame: FrameType, what: str) -> None:
    """See to it that someone uses the answer.

    :raises BadArgument: no one does. Raised after the body's own errors, which a test may be about.
    """
    if is_discarded(frame):
        raise BadArgument(
            f"{what}: no one uses this answer, so the test would pass whatever it is. "
            "Write assert before the comparison."
        )


def _refuse_generator(function: Callable[..., Any]) -> None:
    """See to it that calling it does its work.

    :raises BadArgument: it only makes a generator.
    """
    if callables.is_generator(function):
        name = callables.name_of(function)
        raise BadArgument(
            f"{name} is a generator: calling it runs nothing of it. Give a function that consumes it, such as "
            f"lambda: list({name}())."
        )


def _label(name: str, threshold: Mapping[str, float]) -> str:
    sign = ">=" if "at_least" in threshold else "<="
    return f"concurrency.{name} {sign} {number(next(iter(threshold.values())))}"


def _short(outcome: Outcome) -> str:
    bound = f", bound: {outcome.bound.kind}" if outcome.bound else ""
    return (
        f"<speedup {not_met.figure(outcome.estimate)} with {outcome.workers}{bound}, {count(outcome.rounds, 'round')}>"
    )
