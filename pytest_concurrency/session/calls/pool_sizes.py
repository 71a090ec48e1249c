"""What ``concurrency.scaling`` is given where the function makes a pool of its own, and refuses to be given."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_concurrency.backends.event_loops.borrowed_loop import BorrowedLoop
from pytest_concurrency.core import callables
from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.core.model import Body
from pytest_concurrency.core.outcomes import Outcome
from pytest_concurrency.core.units import count, number
from pytest_concurrency.engine.plan import Plan
from pytest_concurrency.expectations import compare, keywords, placement
from pytest_concurrency.expectations.base import Tolerances
from pytest_concurrency.measurement import pool_scaling
from pytest_concurrency.measurement.callable_bench import CallableBench
from pytest_concurrency.measurement.loop_callable_bench import bench_for
from pytest_concurrency.measurement.trial import Request, SessionContext, patience
from pytest_concurrency.session.calls.threshold_finding import label
from pytest_concurrency.session.findings import Efficiency
from pytest_concurrency.verdicts import pool_scaling as pool_words

__tracebackhide__ = True  # a failure is told at the test's own line
_NAME = "concurrency.scaling"
_ROUNDS = 10  # per size, where only the figures are asked for


@dataclass(frozen=True, slots=True)
class PoolWork:
    """A function that does a fixed amount of work with as many workers as it is told."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    sizes: tuple[int, ...]
    total: int | None

    def with_workers(self, size: int) -> Callable[[], Any]:
        """Return the call for one pool size."""
        return functools.partial(self.function, *self.args, *_counts(size, self.total))


def is_meant(options: Mapping[str, Any]) -> bool:
    """Whether a call is about the function's own pool: it has ``workers=`` or ``total=``, and no ``executor=``."""
    return "executor" not in options and ("workers" in options or "total" in options)


def last_counts(options: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what the function is given for the largest pool, from options that were not checked."""
    return (*tuple(options.get("workers", ()))[-1:], *([options["total"]] if "total" in options else []))


def parsers() -> dict[str, keywords.Parser]:
    """Return the keywords that such a call has besides the common ones."""
    return {"workers": _sizes, "total": _total}


def refuse_backends(options: Mapping[str, Any]) -> None:
    """See to it that no workers of the plugin's own are asked for as well.

    :raises BadArgument: they are.
    """
    both = [backend for backend in placement.BACKENDS if backend in options]
    if both:
        raise BadArgument(
            f"{_NAME} has workers= (or total=), for a function that makes a pool of its own, and {both[0]}=, for one "
            "that the plugin calls in several workers. Give one of them."
        )


def work_of(function: Callable[..., Any], args: tuple[Any, ...], arguments: Mapping[str, Any]) -> PoolWork:
    """Return the work of a call with parsed arguments.

    :raises BadArgument: there are no sizes, or the function cannot be called with one.
    """
    if "workers" not in arguments:
        raise BadArgument(f"{_NAME} has total= and no workers=: add the sizes of the pool, workers=(1, 3, 10, 20).")
    if "setup" in arguments:
        raise BadArgument(f"{_NAME}(workers=...) has no setup=: the function prepares what it needs itself.")
    if not callable(function):
        raise BadArgument(f"{function!r} cannot be called: give a function that takes the number of workers.")
    sizes: tuple[int, ...] = arguments["workers"]
    total: int | None = arguments.get("total")
    try:
        inspect.signature(function).bind(*args, *_counts(sizes[0], total))
    except TypeError as error:
        name = callables.name_of(function)
        given = ", ".join([*(["..."] if args else []), "workers", *(["total"] if total is not None else [])])
        raise BadArgument(
            f"{_NAME}(workers=...) calls {name}({given}), and {name} cannot be called so: {error}. Let it take the "
            f"number of workers of its own pool{' and the total amount of work' if total is not None else ''}, as in "
            f"def {name}({given})."
        ) from None
    except ValueError:  # written in C, and does not tell
        pass
    return PoolWork(function, args, sizes, total)


def decider(
    work: PoolWork, options: Mapping[str, Any], limits: Tolerances, context: SessionContext
) -> Callable[[Mapping[str, float], BorrowedLoop | None], Outcome]:
    """Return what compares each size with the first one, for a threshold, on the test's own event loop if there is one.

    Without a threshold, some rounds are measured, and the verdict means nothing.
    """
    first = work.with_workers(work.sizes[0])
    subject = callables.spelled_call(work.function, work.args)

    def decide(threshold: Mapping[str, float], loop: BorrowedLoop | None) -> Outcome:
        plans = _plans_of(work, threshold, limits)

        def bench_of(size: int) -> CallableBench:
            higher = context.around.priority
            return bench_for(first, work.with_workers(size), loop, patience(limits.max_time), higher)

        shown = label("scaling", threshold, None) if threshold else _NAME
        last = plans[work.sizes[-1]]
        asked = Request(shown, "scaling", {**options, **threshold}, last, limits, subject)
        on_loop = context.on(loop)
        if not threshold:
            on_loop = replace(on_loop, gate=None)
        with on_loop.alone():
            return pool_scaling.decide(asked, work.sizes, bench_of, plans.__getitem__, on_loop)

    return decide


def _plans_of(work: PoolWork, threshold: Mapping[str, float], limits: Tolerances) -> dict[int, Plan]:
    """Return the plan for each size after the first.

    :raises BadArgument: the smallest size would be asked for no more than the first one gives.
    """
    first, *others = work.sizes
    efficiency = threshold.get(Efficiency.AT_LEAST or "")
    if efficiency is not None and efficiency * others[0] <= first:
        raise BadArgument(
            f"{_NAME}: an efficiency of {number(efficiency)} at {others[0]} workers asks for no more than "
            f"{count(first, 'worker')} {'gives' if first == 1 else 'give'}. Raise it, or leave out the smallest sizes."
        )
    return {size: _plan(first, size, efficiency, limits) for size in others}


def _plan(first: int, size: int, efficiency: float | None, limits: Tolerances) -> Plan:
    least = 1.0 if efficiency is None else efficiency * size / first
    plan = compare.KIND.plan({"at_least": least}, Body(len), limits)
    names = pool_words.workers_of(first), pool_words.workers_of(size)
    plan = replace(plan, unmeasurable=functools.partial(compare.too_few_cpus, least, names=names))
    return plan if efficiency is not None else replace(plan, answered=lambda said: False, most_rounds=_ROUNDS)


def _counts(size: int, total: int | None) -> tuple[int, ...]:
    return (size,) if total is None else (size, total)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _sizes(value: object) -> tuple[int, ...]:
    rule = "must be a sequence of two or more pool sizes, each larger than the one before, such as (1, 3, 10, 20)"
    if not isinstance(value, (tuple, list)) or len(value) < 2 or not all(map(_whole, value)):
        raise ValueError(rule)
    if any(size >= after for size, after in itertools.pairwise(value)):
        raise ValueError(rule)
    return tuple(value)


def _total(value: object) -> int:
    if not isinstance(value, int) or not _whole(value):
        raise ValueError("must be a whole number above 0: the amount of work, the same for each pool size")
    return value
