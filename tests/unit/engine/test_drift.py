"""Bodies and figures that are others from round to round."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_concurrency.core.model import Interval
from pytest_concurrency.engine import drift

from ..make import reading, round_


def test_a_body_that_grows_steadily_drifts() -> None:
    rounds = [round_(reading(wait=0.01 * 1.3**number)) for number in range(9)]
    assert drift.factor(rounds) == pytest.approx(1.3**6)
    assert drift.factor(rounds[::-1]) == pytest.approx(1.3**-6)
    assert drift.factor([round_(reading(wait=0.01))] * 9) is None


def test_a_steady_growth_may_go_on() -> None:
    rounds = [round_(reading(wait=0.01 * 1.3**number)) for number in range(4)]
    assert drift.may_drift(rounds)
    assert not drift.may_drift(rounds[:2])


def test_a_figure_falls_if_its_bounds_lie_apart() -> None:
    burst = [Interval(3.9, 4.0)] * 5 + [Interval(1.1, 1.2)] * 3
    assert drift.fall(burst) == pytest.approx((3.95, 1.15), rel=0.01)
    assert drift.fall([Interval(1.1, 4.0)] * 5 + [Interval(1.1, 1.2)] * 3) is None
    assert drift.fall(burst[::-1]) is None
    assert drift.fall(burst[2:7]) is None  # too few


@given(st.lists(st.floats(0.95, 1.05), min_size=1, max_size=30))
def test_a_figure_that_scatters_by_less_than_the_margin_does_not_fall(figures: list[float]) -> None:
    assert drift.fall([Interval(figure, figure) for figure in figures]) is None
