"""What one gap says of the loop's own code: nothing else may be held against it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_concurrency.instruments import block_list, block_reading
from pytest_concurrency.instruments.block_reading import Block, Gap, bounds

SECONDS = st.floats(0, 1)


def gap(**values: float | None) -> Gap:
    return Gap(**{"wall": 0.1, "idle": 0.002, "cpu": 0.0, "delay": 0.0, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("readings", "low"),
    [
        ({}, 0.0975),  # it slept
        ({"cpu": 0.1}, 0.0975),  # it computed
        ({"cpu": 0.03, "delay": 0.07}, 0.0275),  # it computed, and waited for a CPU
        ({"others": 0.05}, 0.0),  # another thread may have held the GIL
        ({"cpu": 0.1, "others": 0.05}, 0.0975),  # no: the loop's thread has computed meanwhile
        ({"cpu": 0.1, "collected": 0.09}, 0.0075),  # the garbage collector
        ({"cpu": 0.1, "steal": 0.09}, 0.0075),  # the hypervisor
        ({"steal": 0.09}, 0.0075),  # the thread was woken up, and its CPU was taken away
        ({"stalled": 0.09}, 0.0075),  # no thread of the process ran
        ({"cpu": 0.1, "stalled": 0.09}, 0.0975),  # the loop's thread ran, and held the GIL
        ({"delay": None}, 0.0),  # no run delay, no witness: it may have waited for a CPU
        ({"delay": None, "seen": 0.06}, 0.06),
        ({"delay": None, "cpu": 0.08}, 0.0795),
    ],
)
def test_lower_end(readings: dict[str, float | None], low: float) -> None:
    assert bounds(gap(**readings))[0] == pytest.approx(low)


@given(st.builds(Gap, *[SECONDS] * 3, st.none() | SECONDS, *[SECONDS] * 5))
def test_ends_are_in_order_and_what_disturbs_only_lowers_the_lower_one(readings: Gap) -> None:
    low, high = bounds(readings)
    assert 0 <= low <= high + 1
    quiet = Gap(readings.wall, readings.idle, readings.cpu, readings.delay, seen=readings.seen)
    assert low <= bounds(quiet)[0]
    assert high <= readings.wall


@pytest.mark.parametrize("pattern", ["shop/pdf.py", "shop/*", "shop/pdf.py:*in render", "*.render()"])
def test_patterns_match_from_the_beginning(pattern: str) -> None:
    block = Block(0.1, 0.1, None, (("shop/pdf.py", 7, "render"),))
    assert (block_list.allowed_by(block, ["else.py", pattern]) == pattern) is not pattern.startswith("*.")


def test_message_says_what_else_took_time() -> None:
    causes = block_reading.causes(gap(cpu=0.05, collected=0.04, delay=0.01))
    told = Block(0.05, 0.09, "app.py:3 in f: g()", (), causes).told()
    assert told.startswith("50 ms to 90 ms at app.py:3 in f: g(); 40 ms (44%) of it were the garbage coll")
