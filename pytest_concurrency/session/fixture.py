"""The ``concurrency`` fixture: the engine in the hands of the test."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from pytest_concurrency.core import callables
from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.core.model import Body, Outcome
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.expectations import bound, compare, keywords, placement, speedup
from pytest_concurrency.expectations.base import Tolerances
from pytest_concurrency.instruments.block_guard import NonblockingBlock
from pytest_concurrency.instruments.call_watch import CallWatch
from pytest_concurrency.instruments.gauge import Gauge
from pytest_concurrency.instruments.loop_monitor import pause
from pytest_concurrency.instruments.rendezvous import Rendezvous
from pytest_concurrency.measurement.callable_bench import CallableBench
from pytest_concurrency.measurement.figures import Figures, measure_figures
from pytest_concurrency.measurement.trial import Request, SessionContext, Trial
from pytest_concurrency.session.call_arguments import body_of, refuse_generator, refuse_nested
from pytest_concurrency.session.findings import BoundFinding, Speedup, label
from pytest_concurrency.session.instruments import Instruments
from pytest_concurrency.session.same_result import check_same

__tracebackhide__ = True  # a failure is told at the test's own line


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
        refuse_nested("concurrency.speedup")
        arguments = keywords.read("concurrency.speedup", (), options, placement.parsers(), calls=True)
        body = body_of(function, args, arguments.get("setup"))
        subject = callables.spelled_call(function, args)
        if placement.the_one("concurrency.speedup", arguments, body.is_async) is None:
            raise placement.needed("concurrency.speedup")

        def decide(threshold: dict[str, float]) -> Outcome:
            given = {**arguments, **threshold}
            speedup.KIND.check("concurrency.speedup", given, body.is_async)
            limits = self._limits(arguments)
            plan = speedup.KIND.plan(given, body, limits)
            with self._circumstances.alone(), Trial.of_body(body, self._circumstances, limits.max_time) as trial:
                asked = Request(label("speedup", threshold), "speedup", {**options, **threshold}, plan, limits, subject)
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
        name = "concurrency.compare"
        refuse_nested(name)
        arguments = keywords.read(name, (), options, {})
        compare.KIND.check(name, arguments, False)
        limits = self._limits(arguments)
        for function in (first, second):
            if not callable(function):
                raise BadArgument(f"{name} needs two functions, and {function!r} cannot be called.")
            refuse_generator(function)
            if callables.is_async(function):
                called = callables.name_of(function)
                raise BadArgument(
                    f"{name} calls plain functions, and {called} is an async def: "
                    f"write lambda: asyncio.run({called}())."
                )
        body = body_of(second, ())
        subject = ", ".join(callables.spelled_call(one).removesuffix("()") for one in (first, second))

        def decide(threshold: dict[str, float]) -> Outcome:
            plan = compare.KIND.plan(threshold, body, limits)
            bench = CallableBench(first, second)
            if same_result:
                check_same(*bench.results())
            with self._circumstances.alone(), Trial(bench, self._circumstances) as trial:
                asked = Request(label("compare", threshold), "compare", {**options, **threshold}, plan, limits, subject)
                return trial.decide(asked)[0]

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
        refuse_nested("concurrency.bound")
        arguments = keywords.read("concurrency.bound", (), options, placement.overlap_parsers(), calls=True)
        body = body_of(function, args, arguments.get("setup"))
        limits = self._limits(arguments)
        backend, workers = placement.overlapping("concurrency.bound", arguments, body.is_async)
        subject = callables.spelled_call(function, args)
        plan = bound.plan_for(WorkerSetup(backend, workers), limits)

        def decide() -> Outcome:
            with self._circumstances.alone(), Trial.of_body(body, self._circumstances, limits.max_time) as trial:
                outcome, settlement = trial.decide(Request("bound", "bound", options, plan, limits, subject))
            if settlement is None:
                return outcome
            return bound.outcome_of(outcome, settlement.results)

        found = BoundFinding(decide, self._told(body), lambda outcome: self._follow(outcome, limits.undecided))
        self._made.append((f"concurrency.bound({callables.name_of(function)}, ...)", found))
        return found

    def measure(self, function: Callable[..., Any], *args: Any, **options: Any) -> Figures:
        """Measure a call at once, and return every figure without a verdict.

        :param options: any of the places that :meth:`speedup` knows, several of them too; ``max_time=``, in
            seconds or as text; ``setup=``.
        :raises BadArgument: an option has no meaning.
        """
        refuse_nested("concurrency.measure")
        arguments = keywords.read("concurrency.measure", (), options, placement.parsers(), calls=True)
        body = body_of(function, args, arguments.get("setup"))
        limits = self._limits(arguments)
        chosen = placement.chosen("concurrency.measure", arguments, body.is_async)
        setups = [place.setup(place.size) for place in chosen]
        setups = setups or [WorkerSetup("tasks" if body.is_async else "threads")]
        with self._circumstances.alone(), Trial.of_body(body, self._circumstances, limits.max_time) as trial:
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
