from __future__ import annotations

import pytest

from pytest_concurrency.survey import likely

from .make import a_test, block


@pytest.mark.parametrize(
    ("times", "kind"),
    [
        ({"blocked": 0.1}, "io"),
        ({"cpu": 0.1}, "cpu"),
        ({"cpu": 0.05, "blocked": 0.05}, "mixed"),
        ({"blocked": 0.06, "children": 0.04}, "children"),
        ({"cpu": 0.1, "delay": 0.9}, "cpu"),  # waiting for a CPU is no waiting
        ({"blocked": 0.004}, ""),
        ({"cpu": 0.001, "delay": 0.1}, ""),
    ],
)
def test_kind_of_a_call(times: dict[str, float], kind: str) -> None:
    assert likely.kind_of(a_test(**times).call) == kind


def lines(*tests: object, fit: bool = True) -> list[tuple[str, str]]:
    found = likely.suggestions(tests, [test.nodeid for test in tests] if fit else [])  # type: ignore[arg-type,attr-defined]
    return [(one["nodeid"].partition("::")[2], one["marker"]) for one in found]


def test_markers_are_those_of_the_longest_tests_and_blocks_come_first() -> None:
    assert lines(
        a_test("test_waits", blocked=0.2),
        a_test("test_computes", cpu=0.3),
        a_test("test_blocks", cpu=0.01, blocked=0.1, blocks=[block(0.08)]),
        a_test("test_mixed", cpu=0.3, blocked=0.3),
        a_test("test_short", cpu=0.001),
        a_test("test_too_long_to_repeat", blocked=30.0),
        a_test("test_failed", blocked=0.3, outcome="failed"),
    ) == [
        ("test_blocks", '@pytest.mark.expect_nonblocking(max_block="50ms")'),
        ("test_computes", "@pytest.mark.expect_cpu_bound"),
        ("test_waits", "@pytest.mark.expect_io_bound"),
    ]


def test_parametrized_test_is_suggested_once() -> None:
    assert lines(a_test("test_a[1]", cpu=0.1), a_test("test_a[2]", cpu=0.2)) == [
        ("test_a[2]", "@pytest.mark.expect_cpu_bound")
    ]


def test_no_marker_for_what_cannot_have_one() -> None:
    assert lines(a_test(cpu=0.1), fit=False) == []


def test_ten_markers_at_most() -> None:
    assert len(lines(*[a_test(f"test_{number}", cpu=0.1) for number in range(20)])) == 10


def test_line_that_blocks_is_worth_one_marker() -> None:
    found = lines(
        a_test("test_a", blocked=0.1, blocks=[block(0.08)]),
        a_test("test_b", blocked=0.2, blocks=[block(0.09)]),
        a_test("test_c", blocked=0.3, blocks=[block(0.09, "shop.py:9 in other: read()")]),
    )
    assert [name for name, _ in found] == ["test_c", "test_b"]


def test_block_that_the_machine_may_have_caused_is_no_reason_for_a_marker() -> None:
    assert lines(a_test(blocked=0.1, blocks=[block(0.08, sure=False)])) == [("test_a", "@pytest.mark.expect_io_bound")]
