"""From figures to one tool, and the marker that holds it."""

from __future__ import annotations

import pytest

from pytest_concurrency.core.outcomes import Bound, Estimate
from pytest_concurrency.engine.bound_type import PerBody
from pytest_concurrency.explore import recommend
from pytest_concurrency.explore.recommend import Side
from pytest_concurrency.verdicts import advice

EACH = PerBody(wall=0.01, cpu=0.0, blocked=0.01, delay=0.0)
IO = Bound("io", 0.01, 0.99)
CPU = Bound("cpu", 1.0, 0.0, "held")
QUEUE = Bound("serialized", 0.01, 0.99)


def side(backend: str, figure: float | None, workers: int = 4) -> Side:
    if figure is None:
        return Side(backend, workers, reason="none here")
    return Side(backend, workers, Estimate(figure, figure * 0.98, figure * 1.02), EACH, 10)


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ([side("threads", 3.9), side("processes", 3.99)], "threads"),
        ([side("threads", 3.0), side("processes", 3.99)], "processes"),
        ([side("threads", 0.99), side("interpreters", 3.99), side("processes", 3.9)], "processes"),
        ([side("threads", 0.99), side("interpreters", None), side("processes", 3.9)], "processes"),
        ([side("threads", 1.0), side("processes", 1.15)], None),
        ([side("threads", None)], None),
        ([side("threads", 1.0), side("somebodys", 3.9)], "somebodys"),
    ],
)
def test_the_simplest_tool_that_is_as_good_is_best(sides: list[Side], expected: str | None) -> None:
    found = recommend.best(sides)
    assert (found.backend if found else None) == expected


@pytest.mark.parametrize(
    ("threads", "expected"),
    [
        (Estimate(1.58, 1.27, 1.90), "threads"),  # on a busy machine, the difference may be noise
        (Estimate(1.58, 1.55, 1.61), "processes"),
        (Estimate(1.14, 0.67, 1.99), "processes"),
    ],
)
def test_a_simpler_tool_is_preferred_where_the_intervals_overlap(threads: Estimate, expected: str) -> None:
    processes = Side("processes", 2, Estimate(1.91, 1.70, 2.08), EACH, 10)
    found = recommend.best([Side("threads", 2, threads, EACH, 10), processes])
    assert found is not None
    assert found.backend == expected


def test_tools_are_compared_with_as_many_workers() -> None:
    sides = [side("threads", 1.98, 2), side("threads", 2.0, 4), side("processes", 1.99, 2), side("processes", 3.9, 4)]
    found = recommend.best(sides)
    assert found is not None
    assert (found.backend, found.workers) == ("processes", 4)


@pytest.mark.parametrize(
    ("figure", "bound", "cpus", "expected"),
    [
        (3.97, IO, 2.0, "@pytest.mark.expect_speedup(threads=4, at_least=3.1)"),
        (4.30, IO, 2.0, "@pytest.mark.expect_speedup(threads=4, at_least=3.2)"),  # the ceiling is 4
        (2.20, CPU, 2.0, "@pytest.mark.expect_speedup(threads=4, at_least=1.6)"),  # the ceiling is 2
        (1.35, IO, 2.0, None),  # 1.0 says nothing
    ],
)
def test_the_marker_leaves_room_for_the_margin(figure: float, bound: Bound, cpus: float, expected: str | None) -> None:
    assert recommend.marker(side("threads", figure), bound, cpus) == expected


def test_tasks_share_one_cpu_but_their_ceiling_is_their_number() -> None:
    assert recommend.marker(side("tasks", 3.9), IO, 1.0) == "@pytest.mark.expect_speedup(tasks=4, at_least=3)"


def test_why_compares_the_figures() -> None:
    sides = [side("threads", 0.99, 2), side("processes", 1.95, 2)]
    said = recommend.why(CPU, sides[1], sides)
    assert "processes reach 1.95x, threads 0.99x" in said
    assert "GIL" in said


def test_where_no_tool_helps_it_says_what_to_look_for() -> None:
    said = recommend.why(QUEUE, None, [side("threads", 1.0)])
    assert said.startswith("No tool made it faster here.")
    assert "Try: remove or narrow the lock" in said


def test_processes_that_get_around_a_lock_are_not_the_only_way() -> None:
    sides = [side("threads", 1.0), side("processes", 3.9)]
    assert "remove that lock" in recommend.why(QUEUE, sides[1], sides)


@pytest.mark.parametrize(
    ("bound", "wall", "workers", "cpus", "printed", "expected"),
    [
        (IO, 0.01, 4, 2.0, "", []),
        (IO, 0.01, 4, 2.0, "hello", ["It prints (first: 'hello')"]),
        (CPU, 0.01, 2, 1.0, "", ["1 CPU is usable"]),
        (CPU, 0.01, 4, 2.0, "", ["more than 2x"]),
        (CPU, 0.01, 2, 2.0, "", []),
        (IO, 50e-6, 4, 2.0, "", ["One call takes 50 us"]),
    ],
)
def test_remarks(bound: Bound, wall: float, workers: int, cpus: float, printed: str, expected: list[str]) -> None:
    alone = PerBody(wall, wall, 0.0, 0.0)
    found = recommend.remarks(bound, alone, [side("threads", 1.5, workers)], cpus, printed)
    assert len(found) == len(expected)
    for said, part in zip(found, expected, strict=True):
        assert part in said


def test_the_test_to_paste_is_python() -> None:
    source = advice.source_of_test("shop.web:Cart.total", "3, key='x'", ["@pytest.mark.expect_io_bound"], True)
    compile(source, "test", "exec")
    assert "from shop.web import Cart" in source
    assert "async def test_cart_total():" in source
    assert "await Cart.total(3, key='x')" in source


def test_reason_for_a_tool_names_no_other_tool_that_was_slower() -> None:
    sides = [side("threads", 1.37, 2), side("processes", 1.9, 2)]
    said = recommend.why(Bound("cpu", 1.0, 0.0, "released"), sides[1], sides)
    assert said.startswith("processes. It computes without the GIL.")
    assert ": threads" not in said
