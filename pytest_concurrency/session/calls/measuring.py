"""What ``concurrency.measure`` does: every figure of a call, without a threshold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_concurrency.core.errors import CannotMeasure
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.expectations import keywords, placement
from pytest_concurrency.instruments import loop_monitor
from pytest_concurrency.measurement.figures import Figures, measure_figures
from pytest_concurrency.measurement.trial import SessionContext, Trial
from pytest_concurrency.session.calls.arguments import body_of, refuse_nested
from pytest_concurrency.verdicts import left_running

__tracebackhide__ = True  # pytest shows a failure at the line of the test
_NAME = "concurrency.measure"


def figures_of(
    function: Callable[..., Any], args: tuple[Any, ...], options: Mapping[str, Any], context: SessionContext
) -> Figures:
    """Measure a call in all backends that its options name; skip the test if one of them is not available here.

    :raises BadArgument: an option has no meaning.
    :raises ExpectationNotMet: the call has left something running, with ``leftovers="fail"``.
    """
    refuse_nested(_NAME)
    arguments = keywords.read(_NAME, (), options, placement.parsers(), calls=True)
    body = body_of(function, args, arguments.get("setup"))
    limits = context.defaults.overridden(arguments)
    chosen = placement.chosen(_NAME, arguments, body.is_async)
    setups = [place.setup(place.size) for place in chosen]
    setups = setups or [WorkerSetup("tasks" if body.is_async else "threads")]
    try:
        with loop_monitor.pause(), context.alone(), Trial.of_body(body, context, limits.max_time) as trial:
            figures = measure_figures(trial, setups, limits)
    except CannotMeasure as reason:
        pytest.skip(f"unmeasurable: {reason}")
    if figures.leftovers and limits.leftovers == "fail":
        raise left_running.failure_of(figures.leftovers)
    return figures
