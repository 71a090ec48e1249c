from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_concurrency.core.outcomes import Estimate, Point
from pytest_concurrency.engine import scaling_laws

from ..make import reading, round_


@given(st.floats(0, 1), st.integers(2, 64))
def test_the_serial_part_of_amdahls_law_is_found_at_any_count(serial: float, workers: int) -> None:
    speedup = 1 / (serial + (1 - serial) / workers)
    assert scaling_laws.karp_flatt(speedup, workers) == pytest.approx(serial, abs=1e-9)


@given(st.floats(0, 0.5), st.floats(0, 0.1))
def test_a_curve_of_the_universal_law_gives_its_parameters_back(contention: float, coherency: float) -> None:
    curve = [(p, p / (1 + contention * (p - 1) + coherency * p * (p - 1))) for p in (1, 2, 4, 8, 16)]
    usl = scaling_laws.fit_usl(curve)
    assert usl is not None
    assert usl.contention == pytest.approx(contention, abs=1e-6)
    assert usl.coherency == pytest.approx(coherency, abs=1e-6)


@pytest.mark.parametrize("counts", [(1, 2), (1, 2, 4), (2, 2, 4)])
def test_two_counts_above_one_are_too_few_for_two_parameters(counts: tuple[int, ...]) -> None:
    assert scaling_laws.fit_usl([(p, p * 0.9) for p in counts]) is None


def test_a_point_says_what_grew_per_body() -> None:
    grown = round_(reading(0.01, 0.02), *[reading(0.015, 0.05, 0.001)] * 4)
    point = scaling_laws.point_of([grown], 4, Estimate(2.0, 1.6, 2.5))
    assert point.efficiency == pytest.approx(0.5)
    assert (point.more_cpu, point.more_blocked) == (pytest.approx(0.005), pytest.approx(0.03))
    assert point.more_delay == pytest.approx(0.001)
    assert point.serial_part_low < point.serial_part < point.serial_part_high


def at(workers: int, serial: float) -> Point:
    return Point(workers, Estimate(1, 1, 1), 1.0, serial, serial - 0.01, serial + 0.01, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([at(2, 0.0), at(4, 0.005)], "No serial part"),
        ([at(2, 0.1), at(4, 0.3)], "grows"),
        ([at(2, 0.1), at(4, 0.105)], "about the same"),
    ],
)
def test_the_shape_of_a_curve_is_put_into_words(points: list[Point], said: str) -> None:
    assert said in scaling_laws.reading_of(points)


def test_one_point_has_no_shape() -> None:
    assert scaling_laws.reading_of([at(4, 0.1)]) == ""


def test_a_parameter_that_would_be_negative_leaves_the_best_fit_of_the_other() -> None:
    curve = [(2, 1.80), (4, 2.75), (8, 4.2)]
    usl = scaling_laws.fit_usl(curve)
    assert usl is not None
    assert usl.coherency == 0

    def error(contention: float) -> float:
        return sum((p / s - 1 - contention * (p - 1)) ** 2 for p, s in curve)

    assert error(usl.contention) <= min(error(usl.contention + step) for step in (-1e-3, 1e-3))


def measured(speedups: dict[int, float], base: int = 1, spread: float = 0.01) -> list[Point]:
    """A curve of these speedups, each with an interval that reaches so far to both sides."""
    return [
        scaling_laws.point_of(
            [round_(reading(wait=1.0), reading(wait=1.0))],
            workers,
            Estimate(speedup, speedup * (1 - spread), speedup * (1 + spread)),
            base=base,
        )
        for workers, speedup in speedups.items()
    ]


@pytest.mark.parametrize(
    ("speedups", "best", "knee"),
    [
        ({3: 2.9, 10: 9.5, 20: 18.0}, 20, 20),
        ({3: 2.9, 10: 9.5, 20: 9.6}, 20, 10),
        ({3: 2.9, 10: 9.5, 20: 6.0}, 10, 10),
        ({3: 1.0, 10: 1.02, 20: 1.0}, 10, 1),
        ({3: 0.9, 10: 0.5}, 1, 1),
    ],
)
def test_the_knee_is_the_smallest_count_that_no_other_beats_by_a_tenth(
    speedups: dict[int, float], best: int, knee: int
) -> None:
    points = measured(speedups)
    assert (scaling_laws.best_of(points), scaling_laws.knee_of(points)) == (best, knee)


def test_efficiency_is_over_as_many_workers_as_the_first_count_has() -> None:
    (point,) = measured({20: 4.0}, base=4)
    assert point.efficiency == pytest.approx(0.8)
    assert point.serial_part == pytest.approx((1 / 4 - 1 / 5) / (1 - 1 / 5))
    assert scaling_laws.knee_of([point]) == 20


@given(st.floats(0, 0.3), st.floats(0.005, 0.1), st.integers(1, 3))
def test_the_peak_of_the_universal_law_is_found_from_any_first_count(
    contention: float, coherency: float, base: int
) -> None:
    def throughput(p: int) -> float:
        return p / (1 + contention * (p - 1) + coherency * p * (p - 1))

    points = measured({p: throughput(p) / throughput(base) for p in (6, 12, 24, 48)}, base, spread=0)
    expected = ((1 - contention) / coherency) ** 0.5
    assert scaling_laws.peak_of(points) == pytest.approx(expected, rel=1e-3)


def test_wide_intervals_identify_no_peak() -> None:
    speedups = {2: 1.9, 4: 3.4, 8: 5.4, 16: 6.4}
    assert scaling_laws.peak_of(measured(speedups)) == pytest.approx(16, abs=5)
    assert scaling_laws.peak_of(measured(speedups, spread=0.4)) is None


def test_a_curve_that_only_rises_has_no_peak() -> None:
    assert scaling_laws.peak_of(measured({2: 2.0, 4: 3.9, 8: 7.6})) is None
    assert scaling_laws.peak_of(measured({2: 2.0, 4: 3.9})) is None
