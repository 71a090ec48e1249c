"""The ``concurrency`` fixture: measures functions that a test gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pytest_concurrency.backends.event_loops.borrowed_loop import BorrowedLoop
from pytest_concurrency.core import callables
from pytest_concurrency.core.model import Body
from pytest_concurrency.core.outcomes import Outcome
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.expectations import (
    bound,
    compare,
    gil_released,
    keywords,
    nonblocking,
    placement,
    scaling,
    speedup,
)
from pytest_concurrency.expectations.base import Kind, Tolerances
from pytest_concurrency.measurement.base_bench import BaseBench
from pytest_concurrency.measurement.figures import Figures
from pytest_concurrency.measurement.loop_callable_bench import bench_for
from pytest_concurrency.measurement.trial import Request, SessionContext, Trial, patience, worker_bench
from pytest_concurrency.session.calls import measuring, pool_sizes
from pytest_concurrency.session.calls.arguments import (
    body_of,
    both_alike,
    options_of,
    refuse_kind_of_function,
    refuse_nested,
)
from pytest_concurrency.session.calls.bound_finding import BoundFinding
from pytest_concurrency.session.calls.call import Call
from pytest_concurrency.session.calls.compared import Compared
from pytest_concurrency.session.calls.instrument_calls import InstrumentCalls
from pytest_concurrency.session.calls.same_result import check_same
from pytest_concurrency.session.calls.threshold_finding import ThresholdFinding, label
from pytest_concurrency.session.findings import (
    Efficiency,
    GilHold,
    LoopBlock,
    PoolScaling,
    Speedup,
)
from pytest_concurrency.session.instruments import Instruments

__tracebackhide__ = True  # pytest shows a failure at the line of the test
F = TypeVar("F", bound=Compared)


class Concurrency(InstrumentCalls):
    """Measures functions: how much faster several workers are, and why. Tests get it as the fixture ``concurrency``.

    ``report`` receives every outcome, and the earlier one that it replaces, if any. ``follow`` applies the undecided
    policy, and returns whether an outcome counts as met. ``explain`` receives what a failed test shows in addition to
    its assertion.
    """

    def __init__(
        self,
        context: SessionContext,
        report: Callable[..., None],
        follow: Callable[[Outcome, Tolerances], bool],
        explain: Callable[[str], None] = lambda text: None,
        instruments: Instruments | None = None,
    ) -> None:
        super().__init__(instruments)
        self._context = context
        self._report = report
        self._follow = follow
        self._explain = explain
        self._guests: list[BorrowedLoop] = []
        self._made: list[Compared] = []

    def __repr__(self) -> str:
        return "<fixture concurrency>"  # pytest shows it above each failed comparison

    def speedup(self, function: Callable[..., Any], *args: Any, **options: Any) -> Speedup:
        """Return how many times as fast N workers do N calls as one worker does; compare it with ``>=`` or ``<=``.

        ``assert concurrency.speedup(fetch, url, threads=4) >= 3``

        It is the time that one worker takes for N calls one after the other, divided by the time until N workers have
        done one each: 1.0 is no gain, N is perfect.

        :param function: called with ``args`` in every worker; ``async def`` with ``tasks=``. In a test that runs on an
            event loop, an async function is measured on that loop, and the answer is awaited:
            ``assert await concurrency.speedup(client.get, "/slow", tasks=10).at_least(5)``.
        :param options: one of ``threads=``, ``processes=``, ``tasks=``, ``interpreters=``, or ``executor=`` with
            ``workers=``; ``sustained=``, the shortest time that each side runs in a round; ``setup=``, a function
            whose result is the first argument of ``function``, created before each batch of each worker; and the
            keywords of all markers: ``margin=``, a fraction of the threshold, ``max_time=``, in seconds or as text
            (``"2min"``), and ``undecided=``.
        :raises BadArgument: an option is unknown, or its value cannot be used. The message lists the options.
        """
        call = self._call("speedup", speedup.KIND, Speedup, function, args, options)
        return self._kept(Speedup(call))

    def scaling(self, function: Callable[..., Any], *args: Any, **options: Any) -> Efficiency:
        """Return the lowest efficiency at several counts of workers; compare it with ``>=``.

        ``assert concurrency.scaling(fetch, url, threads=(1, 2, 4)) >= 0.7``

        Efficiency is the speedup divided by the number of workers: 1.0 is perfect, 1/N no gain.

        With ``workers=``, ``function`` makes a pool of its own, of as many workers as its last argument says, and each
        size is compared with the first: ``assert concurrency.scaling(fetch_all, workers=(1, 3, 10, 20)) >= 0.7`` calls
        ``fetch_all(1)``, ``fetch_all(3)`` and so on. It must do the same work each time. With ``total=60``, the calls
        are ``fetch_all(1, 60)``, ``fetch_all(3, 60)``.

        :param options: the counts, such as ``threads=(1, 2, 4)``, which is also the default (``tasks=`` for an
            ``async def``), or another keyword of :meth:`speedup` with a sequence of counts; or ``workers=``, the sizes
            of the function's own pool, and ``total=``, a whole number that it is given as well. ``setup=``,
            ``margin=``, ``max_time=``, ``undecided=`` and ``leftovers=`` as there. ``max_time`` is the limit for each
            count.
        :raises BadArgument: an option has no meaning, or the function cannot be called so.
        """
        if pool_sizes.is_meant(options):
            return self._kept(PoolScaling(self._pool_call(function, args, options)))
        return self._kept(Efficiency(self._call("scaling", scaling.KIND, Efficiency, function, args, options)))

    def gil_hold(self, function: Callable[..., Any], *args: Any, **options: Any) -> GilHold:
        """Return the longest time for which a call holds the GIL without a break; compare it with ``<=``.

        ``assert concurrency.gil_hold(parse, text) <= "5ms"``

        A hold lasts from acquiring the GIL (global interpreter lock) to releasing it voluntarily. One CPU is enough.
        The right side is a number of seconds, or text: 1 ms or more. Without a GIL, the test is skipped.

        :param function: a plain function, called with ``args``. For an ``async def``, use :meth:`loop_block`.
        :param options: ``setup=``, ``margin=``, ``max_time=`` and ``undecided=``, as :meth:`speedup` takes them.
        :raises BadArgument: an option has no meaning, or the function is an ``async def``.
        """
        return self._kept(GilHold(self._call("gil_hold", gil_released.KIND, GilHold, function, args, options)))

    def loop_block(self, function: Callable[..., Any], *args: Any, **options: Any) -> LoopBlock:
        """Return the longest time for which an async call keeps its event loop from running; compare it with ``<=``.

        ``assert concurrency.loop_block(handler, request) <= "50ms"``, and in a test that runs on an event loop
        ``assert await concurrency.loop_block(handler, request).at_most("50ms")``. The right side is a number of
        seconds, or text: 5 ms or more.

        :param function: an ``async def``, called with ``args``. For a plain function, use :meth:`gil_hold`.
        :param options: ``setup=``, ``margin=``, ``max_time=`` and ``undecided=``, as :meth:`speedup` takes them.
        :raises BadArgument: an option has no meaning, or the function is a plain one.
        """
        return self._kept(LoopBlock(self._call("loop_block", nonblocking.KIND, LoopBlock, function, args, options)))

    def compare(
        self,
        baseline: Callable[[], Any],
        candidate: Callable[[], Any],
        *,
        same_result: bool = False,
        **options: Any,
    ) -> Speedup:
        """Return how many times as fast ``candidate`` is as ``baseline``; compare it with ``>=`` or ``<=``.

        ``assert concurrency.compare(baseline=one_by_one, candidate=in_threads) > 2``

        Both are called without arguments in the test's own thread, and may start threads, processes or
        event loops. In a test that runs on an event loop, both may be ``async def``: they are measured on
        that loop, and the answer is awaited: ``assert await concurrency.compare(one_by_one, gathered).at_least(4)``.

        :param same_result: also require that both return equal values; the comparison raises an ``AssertionError`` if
            they differ, and ``BadArgument`` if they cannot be compared.
        :param options: ``margin=``, ``max_time=`` and ``undecided=``, as :meth:`speedup` takes them.
        :raises BadArgument: an option has no meaning, or the functions are not both plain or both ``async def``.
        """
        name = "concurrency.compare"
        refuse_nested(name)
        given = {**options, "same_result": same_result}
        arguments = options_of(name, given, compare.KIND, Speedup, {"same_result": keywords.flag}, unlisted=("setup",))
        functions = f"{callables.name_of(baseline)}, {callables.name_of(candidate)}"
        is_async = both_alike(name, baseline, candidate)
        compare.KIND.check(name, arguments, is_async)
        limits = self._limits(arguments)
        body = body_of(candidate, ())
        subject = ", ".join(callables.spelled_call(one).removesuffix("()") for one in (baseline, candidate))

        def decide(threshold: Mapping[str, float], loop: BorrowedLoop | None) -> Outcome:
            plan = compare.KIND.plan(threshold, body, limits)
            asked = Request(label("compare", threshold), "compare", {**options, **threshold}, plan, limits, subject)

            def bench() -> BaseBench:
                made = bench_for(baseline, candidate, loop, patience(limits.max_time), self._context.around.priority)
                if same_result:
                    check_same(*made.results())
                return made

            return self._decided(bench, body, asked, self._context.on(loop))

        return self._kept(Speedup(self._call_of("compare", functions, is_async, decide, self._report, limits)))

    def _pool_call(self, function: Callable[..., Any], args: tuple[Any, ...], options: Mapping[str, Any]) -> Call:
        """Return a call about the sizes of the pool that a function makes itself."""
        name = "concurrency.scaling"
        refuse_nested(name)
        pool_sizes.refuse_backends(options)
        arguments = options_of(name, options, scaling.KIND, Efficiency, pool_sizes.parsers())
        work = pool_sizes.work_of(function, args, arguments)
        is_async = both_alike(name, function, function)
        limits = self._limits(arguments)
        decide = pool_sizes.decider(work, options, limits, self._context)
        functions = callables.name_of(function)
        return self._call_of("scaling", functions, is_async, decide, self._report, limits)

    def bound(self, function: Callable[..., Any], *args: Any, **options: Any) -> BoundFinding:
        """Return the bound type of a call, to be compared with ``"io"``, ``"cpu"``, ``"mixed"`` or ``"serialized"``.

        ``assert concurrency.bound(fetch, url) == "io"``, and of an async function in a test that runs on an event loop
        ``assert await concurrency.bound(fetch, url) == "io"``.

        :param options: ``threads=4`` (or ``tasks=4``), which show whether waits overlap or are serialized;
            ``setup=``, ``margin=``, ``max_time=`` and ``undecided=``, as :meth:`speedup` takes them.
        :raises BadArgument: an option has no meaning, or, at the comparison, the name is not a bound type.
        """
        refuse_nested("concurrency.bound")
        arguments = keywords.read("concurrency.bound", (), options, placement.overlap_parsers(), calls=True)
        body = body_of(function, args, arguments.get("setup"))
        limits = self._limits(arguments)
        backend, workers = placement.overlapping("concurrency.bound", arguments, body.is_async)
        plan = bound.plan_for(WorkerSetup(backend, workers), limits)
        subject = callables.spelled_call(function, args)

        def decide(threshold: Mapping[str, float], loop: BorrowedLoop | None) -> Outcome:
            context = self._context.on(loop)
            with context.alone(), Trial.of_body(body, context, limits.max_time) as trial:
                outcome, settlement = trial.decide(Request("bound", "bound", options, plan, limits, subject))
            return outcome if settlement is None else bound.outcome_of(outcome, settlement.results)

        def report(outcome: Outcome, instead: Outcome | None = None) -> None:
            self._report(outcome, instead)
            # Only the comparison shows whether the bound type is the expected one, and so whether to profile.
            self._profile(body, outcome)

        call = self._call_of("bound", callables.name_of(function), body.is_async, decide, report, limits)
        return self._kept(BoundFinding(call))

    def measure(self, function: Callable[..., Any], *args: Any, **options: Any) -> Figures:
        """Measure a call at once, and return every figure without a verdict.

        ``print(concurrency.measure(fetch, url, threads=4, processes=2))``

        In a test that runs on an event loop, that loop is blocked until the call ends, and an async function is
        measured on a separate loop.

        :param options: one or several of ``threads=``, ``processes=``, ``tasks=``, ``interpreters=`` and ``executor=``
            with ``workers=``; ``max_time=``, for each of them in seconds or as text; ``setup=``; ``leftovers=``.
        :raises BadArgument: an option has no meaning.
        :raises ExpectationNotMet: with ``leftovers="fail"``, the call has left something running.
        """
        return measuring.figures_of(function, args, options, self._context)

    def close(self) -> None:
        """End what is still measured on the test's event loop.

        Without this, a measurement that a time limit has ended would go on in the next test on the same loop.
        """
        for loop in list(self._guests):
            loop.abandon()

    def never_asked(self) -> list[tuple[str, str]]:
        """Return the calls whose findings were never compared with anything, each with a correct comparison."""
        return [(finding.spelled, finding.example) for finding in self._made if not finding.asked]

    def _call(
        self,
        name: str,
        kind: Kind,
        finding: type[ThresholdFinding],
        function: Callable[..., Any],
        args: tuple[Any, ...],
        options: Mapping[str, Any],
    ) -> Call:
        """Return a call that is decided like the marker of its kind, once a comparison gives the threshold."""
        called = f"concurrency.{name}"
        refuse_nested(called)
        arguments = options_of(called, options, kind, finding, kind.keywords)
        body = body_of(function, args, arguments.get("setup"))
        refuse_kind_of_function(called, kind, body)
        if any(keyword in kind.keywords for keyword in placement.BACKENDS):
            place = placement.the_one(called, arguments, body.is_async)
            if place is None and kind is speedup.KIND:
                raise placement.needed(called)
        limits = self._limits(arguments)

        def decide(threshold: Mapping[str, float], loop: BorrowedLoop | None) -> Outcome:
            given = {**arguments, **threshold}
            kind.check(called, given, body.is_async)
            asked = Request(
                label(name, threshold, finding.AT_MOST),
                name,
                {**options, **threshold},
                kind.plan(given, body, limits),
                limits,
                callables.spelled_call(function, args),
            )
            context = self._context.on(loop)
            return self._decided(lambda: worker_bench(body, context, limits.max_time), body, asked, context)

        return self._call_of(name, callables.name_of(function), body.is_async, decide, self._report, limits)

    def _decided(self, bench: Callable[[], BaseBench], body: Body, asked: Request, context: SessionContext) -> Outcome:
        # The bench is made within: from its making on, what other programs do counts as interference.
        with context.alone(), Trial(bench(), context) as trial:
            outcome, _ = trial.decide(asked)
        self._profile(body, outcome)
        return outcome

    def _profile(self, body: Body, outcome: Outcome) -> None:
        if self._context.profiler is not None:
            self._context.profiler(body, [outcome])

    def _call_of(
        self,
        name: str,
        functions: str,
        is_async: bool,
        decide: Callable[[Mapping[str, float], BorrowedLoop | None], Outcome],
        report: Callable[..., None],
        limits: Tolerances,
    ) -> Call:
        return Call(
            name=name,
            functions=functions,
            is_async=is_async,
            decide=decide,
            report=report,
            follow=lambda outcome: self._follow(outcome, limits),
            explain=lambda outcome: self._explain(outcome.reason),
            guests=self._guests,
        )

    def _kept(self, finding: F) -> F:
        self._made.append(finding)
        return finding

    def _limits(self, arguments: Mapping[str, Any]) -> Tolerances:
        return self._context.defaults.overridden(arguments)
