from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_concurrency.core import units


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("50ms", 0.05),
        ("10s", 10.0),
        (" 2 min ", 120.0),
        ("1.5h", 5400.0),
        (".5us", 5e-7),
        ("5µs", 5e-6),
        ("3.ns", 3e-9),
        ("0.25", 0.25),
        ("1e-3", 1e-3),
        (10, 10.0),
        (0.05, 0.05),
    ],
)
def test_durations_are_read(written: object, seconds: float) -> None:
    assert units.parse_duration(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "written",
    ["", "ms", "fast", "10 parsecs", "-5ms", "5m s", "0ms", "nan", "inf", 0, -1, math.inf, math.nan, True, None, [1]],
)
def test_what_is_no_duration_is_named_with_what_is(written: object) -> None:
    with pytest.raises(ValueError) as caught:
        units.parse_duration(written)
    assert repr(written) in str(caught.value)
    assert '"50ms"' in str(caught.value)


def test_a_number_beyond_all_floats_is_no_duration() -> None:
    with pytest.raises(ValueError):
        units.parse_duration(10**400)


@given(st.floats(1e-9, 1e6))
def test_a_duration_reads_back_to_three_digits(seconds: float) -> None:
    assert units.parse_duration(units.duration(seconds)) == pytest.approx(seconds, rel=0.0051)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.00125, "1.25 ms"),
        (0.0125, "12.5 ms"),
        (0.125, "125 ms"),
        (0.9999, "1 s"),
        (0.00099996, "1 ms"),
        (90.0, "90 s"),
        (3e-7, "300 ns"),
        (0.0, "0 s"),
        (-0.002, "-2 ms"),
    ],
)
def test_durations_are_written_in_the_unit_that_reads_best(seconds: float, text: str) -> None:
    assert units.duration(seconds) == text


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [("ratio", 3.974, "3.97x"), ("ratio", 12.34, "12.3x"), ("share", 0.974, "97%"), ("seconds", 0.05, "50 ms")],
)
def test_every_unit_has_its_formatter(unit: str, value: float, text: str) -> None:
    assert units.formatter(unit)(value) == text


def test_thresholds_are_written_as_their_author_did() -> None:
    assert [units.number(value) for value in (3.0, 2.5, 0.75)] == ["3", "2.5", "0.75"]


def test_counts_have_a_plural() -> None:
    assert [units.count(n, "round") for n in (0, 1, 2)] == ["0 rounds", "1 round", "2 rounds"]
    assert units.count(2, "process", "processes") == "2 processes"
