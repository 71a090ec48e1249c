"""The arguments of the calls of the ``concurrency`` fixture, and which of them are refused."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from pytest_concurrency.backends.batch import ALONE, WithInput, current_worker
from pytest_concurrency.core import callables
from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.core.model import Body
from pytest_concurrency.expectations import gil_released, keywords, nonblocking
from pytest_concurrency.expectations.base import Kind
from pytest_concurrency.machine.running_loop import in_loop
from pytest_concurrency.session.calls.threshold_finding import ThresholdFinding

__tracebackhide__ = True  # pytest shows a failure at the line of the test


def body_of(function: Callable[..., Any], args: tuple[Any, ...], prepare: Callable[[], Any] | None = None) -> Body:
    if not callable(function):
        raise BadArgument(
            f"{function!r} cannot be called: give the function, f and not f(), and its arguments after it."
        )
    refuse_generator(function)
    return Body(
        function if prepare is None else WithInput(function),
        positional=args,
        is_async=callables.is_async(function),
        label=f"{callables.name_of(function)}()",
        prepare=prepare,
    )


def options_of(
    name: str,
    options: Mapping[str, Any],
    kind: Kind,
    finding: type[ThresholdFinding],
    known: Mapping[str, keywords.Parser],
    unlisted: Collection[str] = (),
) -> dict[str, Any]:
    """Return the parsed options of a call whose threshold comes later, with a comparison.

    :param unlisted: keywords that the call does not have, although all markers do.
    :raises BadArgument: an option has no meaning, or is the threshold.
    """
    thresholds = (finding.AT_LEAST, finding.AT_MOST)
    for keyword in options:
        if keyword in thresholds:
            raise BadArgument(
                f"{name} has no keyword {keyword!r}: compare what it returns with the threshold, as in "
                f"assert {name}(...) {finding.COMPARISON}."
            )
    others = {keyword: parser for keyword, parser in known.items() if keyword not in thresholds}
    return keywords.read(name, (), options, others, calls=True, unlisted=unlisted)


def both_alike(name: str, baseline: Callable[[], Any], candidate: Callable[[], Any]) -> bool:
    """Return whether both functions of a comparison are async, which is possible on a running event loop only.

    :raises BadArgument: one cannot be called, or they are not both plain or both async.
    """
    for function in (baseline, candidate):
        if not callable(function):
            raise BadArgument(f"{name} needs two functions, and {function!r} cannot be called.")
        refuse_generator(function)
    found = [function for function in (baseline, candidate) if callables.is_async(function)]
    if not found:
        return False
    called = callables.name_of(found[0])
    if not in_loop():
        raise BadArgument(
            f"{name} calls plain functions here, and {called} is an async def: write lambda: asyncio.run({called}()), "
            "or make the test an async def, and await the answer."
        )
    if len(found) == 1:
        other = callables.name_of(candidate if found[0] is baseline else baseline)
        raise BadArgument(
            f"{name} needs two functions of one kind, and {called} is an async def while {other} is a plain function. "
            "Make both an async def."
        )
    return True


def refuse_kind_of_function(name: str, kind: Kind, body: Body) -> None:
    """Refuse an async function where only a plain one has a meaning, and the other way round.

    :raises BadArgument: it is the other one.
    """
    function = body.label.removesuffix("()")
    if kind is nonblocking.KIND and not body.is_async:
        raise BadArgument(
            f"{name} needs an async def, and {function} is a plain function, which has no event loop to block. "
            "For how long it holds the GIL, use concurrency.gil_hold."
        )
    if kind is gil_released.KIND and body.is_async:
        raise BadArgument(
            f"{name} needs a plain function, and {function} is an async def. For how long it blocks its event loop, "
            "use concurrency.loop_block."
        )


def refuse_nested(name: str) -> None:
    """Refuse to measure inside a body that is being measured: each worker would do so in each call.

    :raises BadArgument: the calling code runs in a worker.
    """
    if current_worker.get() != ALONE:
        raise BadArgument(
            f"{name} was called inside a body that is itself being measured. Measure in a test without a marker, and "
            "outside of the function that it gives to the fixture."
        )


def refuse_generator(function: Callable[..., Any]) -> None:
    """Refuse a function whose call does no work.

    :raises BadArgument: it only makes a generator.
    """
    if callables.is_generator(function):
        name = callables.name_of(function)
        raise BadArgument(
            f"{name} is a generator: calling it runs nothing of it. Give a function that consumes it, such as "
            f"lambda: list({name}())."
        )
