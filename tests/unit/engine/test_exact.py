from __future__ import annotations

import math

import pytest

from .exact import binomial_tail, confirmed, upper_bound, walk


@pytest.mark.parametrize(("error", "steps"), [(0.1, 5), (0.25, 11), (0.03, 4)])
def test_a_walk_of_equal_steps_is_the_gamblers_ruin(error: float, steps: int) -> None:
    right, wrong = walk([(1.0, 1.0, error)], steps, steps)
    assert wrong == pytest.approx(1 / (1 + ((1 - error) / error) ** steps), rel=1e-6)
    assert right + wrong == pytest.approx(1.0)


def test_kinds_of_one_weight_are_one_kind_of_their_mean_error() -> None:
    mixed = walk([(0.5, 1.0, 0.25), (0.5, 1.0, 0.1)], 6.0, 4.0)
    assert mixed == pytest.approx(walk([(1.0, 1.0, 0.175)], 6.0, 4.0), rel=1e-6)


def test_the_nearer_bound_is_reached_more_often() -> None:
    near, far = (walk([(0.5, 1.1, 0.25), (0.5, 2.2, 0.1)], 6.0, enough)[1] for enough in (3.0, 9.0))
    assert far < near / 10


@pytest.mark.parametrize(
    ("successes", "trials", "probability", "tail"),
    [(0, 10, 0.5, 1.0), (1, 10, 0.5, 1 - 2**-10), (10, 10, 0.5, 2**-10), (1, 1000, 1e-4, 1 - (1 - 1e-4) ** 1000)],
)
def test_binomial_tail(successes: int, trials: int, probability: float, tail: float) -> None:
    assert binomial_tail(successes, trials, probability) == pytest.approx(tail)


def test_upper_bound_of_no_success_is_the_rule_of_three() -> None:
    assert upper_bound(0, 3000) == pytest.approx(1 - 0.05 ** (1 / 3000), rel=1e-6)
    assert upper_bound(0, 3000) == pytest.approx(3 / 3000, rel=0.01)
    assert upper_bound(5, 5) == 1.0


def test_a_confirmation_multiplies_the_errors() -> None:
    assert confirmed(1e-3, 1e-3) == pytest.approx(1e-6, rel=0.01)
    assert math.isclose(confirmed(1.0, 0.5), 1.0)
