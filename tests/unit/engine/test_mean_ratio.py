"""The sequential test of a ratio of mean times."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_concurrency.core.model import Interval
from pytest_concurrency.engine import mean_ratio
from pytest_concurrency.engine.voting import Vote, cast
from pytest_concurrency.testing import RandomLatency

from .exact import binomial_tail

HALF = math.log(1.25) / 2
LATENCIES: dict[str, Callable[[random.Random], float]] = {
    "exponential": lambda rng: rng.expovariate(100),
    "log-normal": lambda rng: rng.lognormvariate(-5, 1),
    "Pareto": lambda rng: 0.005 * rng.paretovariate(2.5),
    "two-point": lambda rng: 0.01 * (5 if rng.random() < 0.3 else 1) * rng.gauss(1, 0.02),
}


def votes(figures: list[float], works: list[float], cut: float = 2.0, draws: int = 1) -> list[Vote]:
    made = []
    for figure, work in zip(figures, works, strict=True):
        vote = cast(Interval(figure, figure), cut, 0.01, work, HALF)
        made.append(Vote(vote.direction, vote.weight, figure, vote.interval, work, cut, HALF, draws=draws))
    return made


@pytest.mark.parametrize("lock", [False, True], ids=["at once", "in a lock"])
@pytest.mark.parametrize("name", LATENCIES)
def test_calls_that_vary_make_no_wrong_verdicts(name: str, lock: bool) -> None:
    body, rng = RandomLatency(LATENCIES[name], workers=4, serial_calls=3, lock=lock), random.Random(name)
    true = body.speedup()
    wrong = sum(
        body.verdict(true * factor, 0.25, rng, 40) == verdict
        for factor, verdict in ((1.0, "not_met"), (1.25, "met"))
        for _ in range(12)
    )
    assert binomial_tail(wrong, 24, 1e-4) > 0.01


def test_exponential_calls_in_a_lock_are_decided_within_sixty_rounds() -> None:
    body, rng = RandomLatency(lambda rng: rng.expovariate(125), 6, 3, lock=True), random.Random(1)
    ends = [body.verdict(2.25, 0.25, rng, 60) for _ in range(12)]
    assert ends.count("not_met") >= 11
    assert "met" not in ends


def test_a_few_rounds_say_nothing_however_clear() -> None:
    assert mean_ratio.side(votes([1.0] * 7, [0.01] * 7), 0.01, 0.01) == 0
    assert mean_ratio.side(votes([1.0] * 8, [0.01] * 8), 0.01, 0.01) == -1
    # A high figure may lack its long calls.
    assert mean_ratio.side(votes([4.0] * 23, [0.01] * 23), 0.01, 0.01) == 0
    assert mean_ratio.side(votes([4.0] * 24, [0.01] * 24), 0.01, 0.01) == 1


@given(st.lists(st.floats(0.5, 8.0), min_size=8, max_size=20), st.floats(0.0, 1.0))
def test_wider_intervals_turn_no_side(figures: list[float], doubt: float) -> None:
    clear = votes(figures, [0.01] * len(figures))
    wide = [
        Vote(0, interval=Interval(figure * (1 - doubt / 2), figure * (1 + doubt)), work=0.01, cut=2.0, half=HALF)
        for figure in figures
    ]
    assert mean_ratio.side(wide, 1e-3, 1e-3) in (0, mean_ratio.side(clear, 1e-3, 1e-3), *_inside(figures))


def _inside(figures: list[float]) -> tuple[int, ...]:
    """Where the plain figure itself has no side, another variance may give it one."""
    return (1, -1) if mean_ratio.side(votes(figures, [0.01] * len(figures)), 1e-3, 1e-3) == 0 else ()


@given(st.integers(1, 500), st.floats(1e-6, 0.1))
def test_the_boundary_is_above_that_of_a_single_look(rounds: int, error: float) -> None:
    assert mean_ratio.boundary(rounds, error) >= 2 * math.log(1 / error)


def test_more_calls_for_the_noisier_side() -> None:
    rng = random.Random(1)
    works = [rng.expovariate(100) for _ in range(40)]
    noisy = votes([4 * work / 0.02 for work in works], works)  # all are done after 20 ms, each time
    assert mean_ratio.best_serial_calls(noisy, 4) == 8
    steady = votes([4 * 0.01 / rng.uniform(0.01, 0.05) for _ in range(40)], [0.01] * 40)
    assert mean_ratio.best_serial_calls(steady, 4) == 1


def test_the_figure_is_the_ratio_of_means() -> None:
    found = mean_ratio.figure(votes([4.0, 1.0, 4.0, 1.0], [0.01] * 4))
    assert found is not None
    value, interval = found
    assert value == pytest.approx(0.04 / 0.025)  # the mean of 0.01 and 0.04 is what four bodies take at once
    assert interval.low < value < interval.high
