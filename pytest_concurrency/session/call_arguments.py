"""What the calls of the ``concurrency`` fixture are given, and refuse to be given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_concurrency.backends.batch import ALONE, WithInput, current_worker
from pytest_concurrency.core import callables
from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.core.model import Body

__tracebackhide__ = True  # a failure is told at the test's own line


def body_of(function: Callable[..., Any], args: tuple[Any, ...], prepare: Callable[[], Any] | None = None) -> Body:
    if not callable(function):
        raise BadArgument(f"{function!r} cannot be called: give a function, and its arguments after it.")
    refuse_generator(function)
    return Body(
        function if prepare is None else WithInput(function),
        positional=args,
        is_async=callables.is_async(function),
        label=f"{callables.name_of(function)}()",
        prepare=prepare,
    )


def refuse_nested(name: str) -> None:
    """See to it that nothing is measured inside of what is measured, again and again and by each worker.

    :raises BadArgument: a worker asks.
    """
    if current_worker.get() != ALONE:
        raise BadArgument(
            f"{name} was called inside a body that is itself being measured. Measure in a test without a marker, and "
            "outside of the function that it gives to the fixture."
        )


def refuse_generator(function: Callable[..., Any]) -> None:
    """See to it that calling it does its work.

    :raises BadArgument: it only makes a generator.
    """
    if callables.is_generator(function):
        name = callables.name_of(function)
        raise BadArgument(
            f"{name} is a generator: calling it runs nothing of it. Give a function that consumes it, such as "
            f"lambda: list({name}())."
        )
