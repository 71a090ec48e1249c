from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_concurrency import expectations
from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.core.model import Body, Round
from pytest_concurrency.engine.claims import Knowledge
from pytest_concurrency.engine.plan import Plan
from pytest_concurrency.expectations import MARKERS, keywords, marker_lines, placement
from pytest_concurrency.expectations.base import Kind, Tolerances
from pytest_concurrency.expectations.reading import kind_of, read_marker

from ..make import reading, round_

# A way to write each marker that has a meaning, and whether its body is an async def.
GOOD: dict[str, tuple[dict[str, Any], bool]] = {
    "expect_io_bound": ({}, False),
    "expect_cpu_bound": ({}, False),
    "expect_speedup": ({"at_least": 2, "threads": 4}, False),
    "expect_scaling": ({}, False),
    "expect_gil_released": ({}, False),
    "expect_nonblocking": ({}, True),
}
COMPUTES, WAITS = round_(reading(0.01), reading(0.01)), round_(reading(0.0, 0.01), reading(0.0, 0.01))


def do_nothing() -> None:
    """Never called: nothing here measures."""


def plan_of(name: str, is_async: bool = False, **given: object) -> Plan:
    return read_marker(name, (), given, is_async).plan(Body(do_nothing, is_async=is_async), Tolerances())


@pytest.mark.parametrize("name", MARKERS)
def test_every_marker_is_what_its_line_says(name: str) -> None:
    """The contract of every marker: its file, its signature, its plan."""
    given_, is_async = GOOD[name]
    kind = kind_of(name)
    assert isinstance(kind, Kind)
    assert kind.name == name
    for keyword in kind.keywords:
        assert keyword in MARKERS[name].signature
    expectation = read_marker(name, (), given_, is_async)
    plan = expectation.plan(Body(do_nothing, is_async=is_async), Tolerances())
    assert plan.claims
    assert expectation.label.startswith(name)
    assert any(line.startswith(f"{name}(") and "max_time" in line for line in marker_lines())


def test_every_file_of_a_marker_is_listed() -> None:
    folder = Path(expectations.__file__).parent
    shared = {"__init__", "base", "keywords", "placement", "reading"}
    calls_only = {"bound", "compare"}  # of the fixture: no marker has them
    files = {path.stem for path in folder.glob("*.py")} - shared - calls_only
    assert files == {marker.module for marker in MARKERS.values()}


@pytest.mark.parametrize("name", MARKERS)
def test_an_unknown_keyword_is_named_with_the_valid_ones(name: str) -> None:
    given_, is_async = GOOD[name]
    with pytest.raises(BadArgument) as caught:
        read_marker(name, (), {**given_, "wokers": 4}, is_async)
    assert name in caught.value.why
    assert "'wokers'" in caught.value.why
    for keyword in (*kind_of(name).keywords, "margin", "max_time", "undecided"):
        assert keyword in caught.value.why


@pytest.mark.parametrize("name", MARKERS)
def test_positional_arguments_are_named_with_the_keywords_there_are(name: str) -> None:
    with pytest.raises(BadArgument, match=r"takes\skeywords\sonly,\snot\s4,\s3"):
        read_marker(name, (4, 3), {}, GOOD[name][1])


def test_a_slip_of_the_pen_is_guessed() -> None:
    with pytest.raises(BadArgument, match=r"Did\syou\smean\s'at_least'"):
        read_marker("expect_speedup", (), {"atleast": 2, "threads": 4}, False)


@pytest.mark.parametrize(
    ("name", "keyword", "value", "says"),
    [
        ("expect_speedup", "at_least", 0, "a number above 0"),
        ("expect_speedup", "at_least", "3", "a number above 0"),
        ("expect_speedup", "at_least", math.nan, "a number above 0"),
        ("expect_speedup", "at_least", True, "a number above 0"),
        ("expect_speedup", "threads", 2.5, 'whole number of workers or "auto"'),
        ("expect_speedup", "threads", True, 'whole number of workers or "auto"'),
        ("expect_speedup", "threads", 0, "between 1 and 512"),
        ("expect_speedup", "threads", 10_000, "between 1 and 512"),
        ("expect_speedup", "margin", 25, "0.25 stands for 25%"),
        ("expect_speedup", "max_time", "fast", "must be a duration: write seconds"),
        ("expect_speedup", "max_time", -1, "must be a duration"),
        ("expect_speedup", "undecided", "ignore", "'skip', 'fail', 'pass'"),
        ("expect_io_bound", "min_wait", 1.5, "at most 1"),
        ("expect_io_bound", "threads", 1, "Write 2 or more"),
        ("expect_cpu_bound", "gil", "free", "'held', 'released'"),
        ("expect_scaling", "threads", 4, "tuple of worker counts"),
        ("expect_scaling", "threads", (1,), "no count above 1"),
        ("expect_scaling", "threads", (1, 2.5), "whole number"),
        ("expect_scaling", "efficiency", 0.4, "Raise efficiency"),
        ("expect_gil_released", "max_hold", "10us", "Write 1ms or more"),
        ("expect_nonblocking", "max_block", "1ms", "write 5ms or more"),
    ],
)
def test_a_bad_value_is_named_with_what_would_be_good(name: str, keyword: str, value: object, says: str) -> None:
    given_, is_async = GOOD[name]
    with pytest.raises(BadArgument) as caught:
        read_marker(name, (), {**given_, keyword: value}, is_async)
    assert caught.value.why.startswith(name)
    assert keyword in caught.value.why
    assert says in caught.value.why


def test_a_number_beyond_all_floats_is_a_bad_value() -> None:
    with pytest.raises(BadArgument):
        read_marker("expect_speedup", (), {"at_least": 10**400, "threads": 4}, False)


def test_a_bad_duration_is_quoted_as_it_was_written() -> None:
    with pytest.raises(BadArgument, match=r"max_time\smust\sbe\sa\sduration"):
        read_marker("expect_io_bound", (), {"max_time": "what is this"}, False)


@pytest.mark.parametrize(
    ("name", "given_", "is_async", "says"),
    [
        ("expect_speedup", {"at_least": 2}, False, "threads=N, processes=N, tasks=N"),
        ("expect_speedup", {"at_least": 2, "threads": 2, "processes": 2}, False, "threads and processes"),
        ("expect_speedup", {"threads": 4}, False, "no threshold"),
        ("expect_speedup", {"threads": 2, "at_least": 3}, False, "can never be met"),
        ("expect_speedup", {"threads": 4, "at_least": 3, "at_most": 2}, False, "above at_most=2"),
        ("expect_speedup", {"tasks": 4, "at_least": 3}, False, "Write async def, or threads=N"),
        ("expect_speedup", {"threads": 4, "at_least": 3}, True, "Write tasks=N instead"),
        ("expect_cpu_bound", {"gil": "held"}, True, "Leave gil= out"),
        ("expect_gil_released", {}, True, "expect_nonblocking"),
        ("expect_nonblocking", {}, False, "expect_gil_released"),
        ("expect_scaling", {"threads": (1, 2), "processes": (1, 2)}, False, "threads and processes"),
    ],
)
def test_keywords_that_make_no_sense_together(name: str, given_: dict[str, Any], is_async: bool, says: str) -> None:
    with pytest.raises(BadArgument) as caught:
        read_marker(name, (), given_, is_async)
    assert says in caught.value.why


def test_none_counts_as_not_given() -> None:
    expectation = read_marker("expect_speedup", (), {"threads": 4, "at_least": 2, "at_most": None}, False)
    assert "at_most" not in expectation.arguments


def test_auto_means_the_usable_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_concurrency.machine.cpus.usable_cpus", lambda: 3.0)
    assert keywords.workers("threads")("auto") == 3


def test_the_markers_own_limits_come_first() -> None:
    expectation = read_marker("expect_io_bound", (), {"max_time": "2min", "margin": 0.5}, False)
    limits = expectation.limits(Tolerances(margin=0.1, max_time=3.0, undecided="fail"))
    assert limits == Tolerances(0.5, 120.0, "fail")


def test_async_bodies_run_as_tasks() -> None:
    assert plan_of("expect_io_bound", is_async=True).setup.backend == "tasks"
    assert plan_of("expect_cpu_bound", is_async=True).setup.backend == "tasks"


def test_a_curve_has_a_step_for_each_count_above_one() -> None:
    plan = plan_of("expect_scaling", processes=(1, 2, 4), efficiency=0.8)
    steps = [*plan.steps, plan]
    assert [step.setup.workers for step in steps] == [2, 4]
    assert [step.claims[0].threshold for step in steps] == [pytest.approx(1.6), pytest.approx(3.2)]


def why(plan: Plan, round_: Round, cpus: float, gil: str = "released") -> str | None:
    return plan.unmeasurable([round_, round_], Knowledge(cpus, gil, plan.setup.backend != "processes"))


@pytest.mark.parametrize(
    ("backend", "round_", "cpus", "gil", "measurable"),
    [
        ("threads", COMPUTES, 2.0, "released", False),
        ("threads", COMPUTES, 4.0, "released", True),
        ("threads", WAITS, 1.0, "unknown", True),
        ("threads", COMPUTES, 1.0, "held", True),  # it is not met on any machine
        ("processes", COMPUTES, 2.0, "held", False),
    ],
)
def test_more_computing_than_cpus_cannot_be_shown(
    backend: str, round_: Round, cpus: float, gil: str, measurable: bool
) -> None:
    reason = why(plan_of("expect_speedup", at_least=3, **{backend: 4}), round_, cpus, gil)
    assert (reason is None) is measurable
    if reason is not None:
        assert "2 usable CPUs" in reason
        assert "It needs 3 CPUs" in reason


@given(workers=st.integers(2, 16), part=st.floats(0.1, 1.0), share=st.floats(0.06, 1.0))
def test_the_cpus_that_are_asked_for_are_enough(workers: int, part: float, share: float) -> None:
    threshold = max(1.0, workers * part)
    plan = plan_of("expect_speedup", at_least=threshold, threads=workers)
    measured = round_(reading(share, 1 - share), reading(share, 1 - share))
    reason = why(plan, measured, 1.0)
    if reason is not None:
        needed = int(reason.rpartition("It needs ")[2].split()[0])
        assert why(plan, measured, float(needed)) is None


def test_a_bound_above_can_be_shown_given_enough_cpus() -> None:
    assert why(plan_of("expect_speedup", at_most=1.9, threads=2), COMPUTES, 64.0) is None


@pytest.mark.parametrize("name", [*placement.BACKENDS, "compare", "serial"])
def test_executor_with_the_name_of_a_backend_is_not_taken_for_it(name: str) -> None:
    def make(workers: int) -> None:
        pass

    make.__name__ = name
    (place,) = placement.chosen("expect_speedup", {"executor": placement.executor(make), "workers": 4}, False)
    setup = place.setup(4)
    assert setup.backend == f"{name}-executor"
    assert setup.renewable is False
    assert setup.who() == f"4 {name}-executor workers"
    registered = placement.chosen("expect_speedup", {"executor": placement.executor(name), "workers": 4}, False)
    assert registered[0].setup(4).key != name
    assert registered[0].executor == placement.executor(name)
