"""Translate between pytest items and the measurement: test bodies, expectations, reports of failures."""

from __future__ import annotations

import difflib
import functools
import inspect
import unittest
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import pytest

from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.backends.event_loops.borrowed_loop import BorrowedLoop
from pytest_concurrency.core import callables
from pytest_concurrency.core.errors import (
    BadArgument,
    CommandError,
    ConcurrencyError,
    ExpectationNotMet,
    UndecidedExpectation,
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
from pytest_concurrency.reports.junit_properties import PREFIX, properties_of
from pytest_concurrency.runs import run_comparison
from pytest_concurrency.runs.baseline import Baseline
from pytest_concurrency.runs.regression_check import RegressionCheck
from pytest_concurrency.runs.store import Storage
from pytest_concurrency.session import baselines, other_plugins, selection, xdist
from pytest_concurrency.session.host import sharing
from pytest_concurrency.session.options import Settings
from pytest_concurrency.session.run_archive import AUTO
from pytest_concurrency.verdicts import message

PROFILES = pytest.StashKey[list[Profile]]()

THRESHOLD_CALLS = ("speedup", "scaling", "compare", "gil_hold", "loop_block")  # of the fixture


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


def check_storage(config: pytest.Config, settings: Settings) -> None:
    """Check before a long run whether it can be compared and saved.

    :raises CommandError: says what is wrong, and with which option.
    """
    storage = Storage(settings.storage)
    try:
        storage.check() if settings.save else storage.check_folder()
    except CommandError as error:
        raise CommandError(f"--concurrency-storage: {error}") from None
    try:
        if settings.save not in (None, AUTO, settings.compare):
            storage.check(settings.save)
    except CommandError as error:
        raise CommandError(f"--concurrency-save={settings.save}: {error}") from None
    for option, wanted, find in (
        ("compare", settings.compare, baselines.baseline_of),
        ("anchor", settings.anchor, baselines.anchor_of),
    ):
        try:
            _check_baseline(find(config, settings), wanted, storage, settings)
        except CommandError as error:
            raise CommandError(f"--concurrency-{option}={wanted}: {error}") from None


def _check_baseline(found: Baseline | None, wanted: str | None, storage: Storage, settings: Settings) -> None:
    """Refuse a comparison that cannot fail although the user wants a regression check.

    :raises CommandError: there is no baseline, and one is required, or its name looks misspelt.
    """
    if found is None or found.run is not None:
        return
    if settings.compare_require:
        raise CommandError(
            f"{'; '.join(found.notes)}. --concurrency-compare-require asks for one: save it with --concurrency-save"
        )
    # The first session of a pipeline has no baseline yet, and must not fail. A session may also save it itself.
    near = difflib.get_close_matches(found.name, storage.names(), n=1)
    if settings.compare_fail and wanted != settings.save and near and not storage.has(found.name):
        raise CommandError(
            f"there is no run {found.name}, so that --concurrency-compare-fail could never fail. Did you mean "
            f"{near[0]}?"
        )


def add_properties(item: pytest.Item, report: pytest.TestReport, record: Mapping[str, Any]) -> None:
    """Store a record's figures where JUnit files are made from; they replace those of an earlier run."""
    kept = [(name, value) for name, value in item.user_properties if not name.startswith(PREFIX)]
    # pytest copies them from the item to its last report, from which the JUnit file is written.
    item.user_properties[:] = [*kept, *properties_of(record)]
    report.user_properties = list(item.user_properties)


def show_message_only(item: pytest.Item, excinfo: pytest.ExceptionInfo[Any], report: pytest.TestReport) -> None:
    """Replace a traceback that has frames of this plugin only, and so explains nothing, by the message."""
    if not report.failed or not isinstance(excinfo.value, (ExpectationNotMet, UndecidedExpectation, ConcurrencyError)):
        return
    if any(str(entry.path) == str(item.path) for entry in excinfo.traceback[1:]):
        return  # raised by a call in the test itself: its line is worth seeing
    shown: Any = excinfo.getrepr(style="value", tbfilter=False)
    if shown.reprcrash is not None:
        shown.reprcrash.path = str(item.path)
        shown.reprcrash.lineno = (item.location[1] or 0) + 1
        shown.reprcrash.message = " ".join((getattr(excinfo.value, "summary", "") or str(excinfo.value)).split())
        place = {"path": item.location[0], "message": type(excinfo.value).__name__}
        shown.reprtraceback.reprentries[-1].reprfileloc = replace(shown.reprcrash, **place)
    report.longrepr = shown


def put_cause_first(report: pytest.TestReport, outcomes: Sequence[Outcome]) -> None:
    """Add cause and place to the first line of a failed comparison: a log's summary may show no other line."""
    crash: Any = getattr(report.longrepr, "reprcrash", None)
    if crash is None or "\n" not in crash.message:
        return
    first, whole = crash.message.partition("\n")[0], " ".join(crash.message.split())
    findings = [outcome.finding for outcome in outcomes if outcome.finding is not None and outcome.finding.cause]
    shown = next((finding for finding in reversed(findings) if finding.cause in whole), None)
    if shown is not None:
        crash.message = " ".join([f"{first}.", *message.lines(shown)[:-1]])


def warn_forgotten(item: pytest.Item, call: str, example: str) -> None:
    """Warn that a call of the fixture measured nothing, because its finding was not compared with anything."""
    item.warn(
        pytest.PytestWarning(
            f"{call} was never compared with anything, so nothing was measured: write assert {example}."
        )
    )


def warn_gauge(item: pytest.Item) -> None:
    """Warn that a gauge's peak is 1 whatever the workers do."""
    item.warn(
        pytest.PytestWarning(
            "concurrency.in_flight() was entered only once, by the test itself, so its peak is 1 whatever runs "
            "inside. Enter it where the work is done, in each worker: with concurrency.in_flight(): in the function "
            "that the threads or tasks run."
        )
    )


def fail_with(report: pytest.TestReport, complaint: str) -> None:
    """Fail a test for a reason outside of it. If it has failed already, its own failure is still shown."""
    if report.failed:
        report.sections.append(("concurrency", complaint))
    else:
        report.outcome = "failed"
        report.longrepr = complaint


def point_at_test(item: pytest.Item, report: pytest.TestReport) -> None:
    """Set the place of a skip to the test, instead of the line in this plugin that skipped it."""
    if report.skipped and isinstance(report.longrepr, tuple):
        report.longrepr = (str(item.path), (item.location[1] or 0) + 1, report.longrepr[2])
