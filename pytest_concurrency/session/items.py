"""From a pytest item to what is measured: its expectations, its body, and what the session knows of it."""

from __future__ import annotations

import functools
import inspect
import unittest
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import pytest

from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.backends.event_loops.borrowed_loop import BorrowedLoop
from pytest_concurrency.core import callables
from pytest_concurrency.core.errors import (
    BadArgument,
)
from pytest_concurrency.core.model import Body
from pytest_concurrency.core.outcomes import Outcome
from pytest_concurrency.core.text import wrap
from pytest_concurrency.core.units import spelled
from pytest_concurrency.expectations.base import Expectation, Tolerances
from pytest_concurrency.expectations.reading import read_marker
from pytest_concurrency.machine import cpus, priority
from pytest_concurrency.machine.priority import Priority
from pytest_concurrency.measurement.trial import SessionContext
from pytest_concurrency.profiling.model import Profile
from pytest_concurrency.runs import run_comparison
from pytest_concurrency.runs.regression_check import RegressionCheck
from pytest_concurrency.session import baselines, other_plugins, selection, xdist
from pytest_concurrency.session.host import sharing
from pytest_concurrency.session.options import Settings

PROFILES = pytest.StashKey[list[Profile]]()


def read_markers(item: pytest.Item, marks: list[pytest.Mark], once: bool = False) -> list[Expectation]:
    """Return the expectations of an item's markers. A bad marker is an error of that item, without a traceback.

    :param once: nothing is measured in this session.
    """
    _refuse_misspelt(item, marks)
    if not isinstance(item, pytest.Function) or _is_unittest(item):
        what = "a unittest.TestCase method" if _is_unittest(item) else f"a {type(item).__name__}"
        raise _refusal(
            item,
            f"{marks[0].name} is on {what}, whose body cannot be called again and again. "
            "Move the workload into a plain test function or method.",
        )
    function = item.obj
    if callables.is_generator(function):
        raise _refusal(
            item,
            f"{marks[0].name} is on a test that has a yield, so calling it runs nothing. "
            "Take the yield out; what should happen after the measurement belongs in a fixture.",
        )
    if (why := other_plugins.why_not(item, once)) is not None:
        raise _refusal(item, f"{marks[0].name} is on a test that it cannot measure: {why}.")
    expectations: list[Expectation] = []
    for mark in marks:
        try:
            expectation = read_marker(mark.name, mark.args, mark.kwargs, callables.is_async(function))
            if "executor" in expectation.arguments:
                from pytest_concurrency.backends import executors

                executors.check(expectation.arguments["executor"], _registered_executors(item))
        except BadArgument as error:
            raise _refusal(item, error.why) from None
        if expectation not in expectations:
            expectations.append(expectation)
    prepares = {one.arguments["setup"] for one in expectations if "setup" in one.arguments}
    if len(prepares) > 1:
        names = " and ".join(sorted(spelled(prepare) for prepare in prepares))
        raise _refusal(
            item, f"setup= names different functions in different markers, {names}. Name one: they measure one body."
        )
    return expectations


def _refuse_misspelt(item: pytest.Item, marks: list[pytest.Mark]) -> None:
    for mark in marks:
        if (near := selection.meant(item, mark.name)) is not None:
            raise _refusal(item, f"there is no marker {mark.name}, so nothing is measured: did you mean {near}?")


def _refusal(item: pytest.Item, why: str) -> BaseException:
    """Return the error of a test whose markers cannot be measured; the cause comes first, for one-line summaries."""
    return pytest.fail.Exception(f"{wrap(why)}\nin {item.nodeid}", pytrace=False)


def _is_unittest(item: pytest.Item) -> bool:
    cls = getattr(item, "cls", None)
    return isinstance(cls, type) and issubclass(cls, unittest.TestCase)


def body_of(item: pytest.Function, function: Callable[..., Any], expectations: Sequence[Expectation]) -> Body:
    """Return a test's function with the fixture values that it needs, and the function that makes its input."""
    wanted = inspect.signature(function).parameters
    values = {name: value for name, value in item.funcargs.items() if name in wanted}
    prepare = next((found for one in expectations if (found := one.arguments.get("setup"))), None)
    return Body(function, values=values, is_async=callables.is_async(function), label=item.name, prepare=prepare)


def circumstances_of(
    item: pytest.Item,
    settings: Settings,
    progress: Callable[[str], None] | None,
    borrowed_loop: BorrowedLoop | None = None,
) -> SessionContext:
    """Return what a trial needs to know about the session; ``borrowed_loop`` is the loop that the test runs on."""
    found = baselines.all_of(item.config, settings)
    gates = [gate for one in found if (gate := one.gate(item.nodeid, settings.compare_fail))]
    around = WorkerEnvironment(
        item.config.rootpath,
        settings.start_method,
        settings.dask_address,
        lambda: _registered_executors(item),
        priority_of(item.config, settings),
        borrowed_loop,
    )
    return SessionContext(
        defaults=Tolerances(settings.margin, settings.max_time, settings.undecided, settings.leftovers),
        around=around,
        progress=progress,
        exclusive=sharing.exclusive(item, progress),
        profiler=_profiler_for(item, settings, around),
        comparable=run_comparison.enough if settings.save or settings.compare else None,
        gate=functools.partial(_look, gates) if gates else None,
    )


def _look(gates: Sequence[RegressionCheck], outcome: Outcome, again: Callable[[], Outcome]) -> Outcome:
    """Hold an outcome against the baseline, and against the anchor if the baseline shows no loss."""
    for gate in gates:
        if outcome.change is None or outcome.change.kind != "regression":
            outcome = gate.look(outcome, again)
    return outcome


def priority_of(config: pytest.Config, settings: Settings) -> Priority:
    """Return the priority that batches are measured at in this session."""
    return priority.choose(settings.priority, xdist.is_one_of_several(config), cpus.usable_cpus())


def _profiler_for(
    item: pytest.Item, settings: Settings, around: WorkerEnvironment
) -> Callable[[Body, Sequence[Outcome]], None] | None:
    if settings.profile is None:
        return None
    from pytest_concurrency.profiling.runner import Profiler

    tool, mode, always = settings.profile
    keep = item.stash.setdefault(PROFILES, []).append
    return Profiler(tool, mode, always, settings.max_time, around, keep)


def add_profiles(item: pytest.Item, report: pytest.TestReport, record: dict[str, Any]) -> None:
    """Add the profile to the failure and to the record."""
    if profiles := item.stash.get(PROFILES, None):
        from pytest_concurrency.profiling.render import show

        report.sections.extend((f"concurrency profile of {profile.label}", show(profile)) for profile in profiles)
        record["profile"] = [{**asdict(profile), "text": show(profile)} for profile in profiles]
        del item.stash[PROFILES]


def _registered_executors(item: pytest.Item) -> dict[str, Any]:
    """Return the backends of other plugins and of the item's own conftest files: {name: executor or factory}.

    ``item.ihook`` leaves out the conftest files of other folders. pytest asks the nearest conftest.py first, so the
    nearest one wins if two give the same name.
    """
    found: dict[str, Any] = {}
    for given in item.ihook.pytest_concurrency_backends(config=item.config):
        for name, what in given.items():
            found.setdefault(name, what)
    return found
