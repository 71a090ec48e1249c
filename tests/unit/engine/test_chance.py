"""Whether calls that merely differ could have given rounds in which company looks slow."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from pytest_concurrency.engine import chance
from pytest_concurrency.engine.chance import Calls

WAYS: dict[str, Callable[[random.Random], float]] = {
    "three in ten take five times as long": lambda rng: 5.0 if rng.random() < 0.3 else 1.0,
    "half take twice as long": lambda rng: 2.0 if rng.random() < 0.5 else 1.0,
    "exponential": lambda rng: rng.expovariate(1.0),
    "one in ten takes ten times as long": lambda rng: 10.0 if rng.random() < 0.1 else 1.0,
}


def rounds(number: int, *concurrent: float, jitter: float = 0.01) -> list[Calls]:
    rng = random.Random(number)
    return [
        Calls(rng.gauss(1.0, jitter), tuple(time * rng.gauss(1.0, jitter) for time in concurrent))
        for _ in range(number)
    ]


@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.parametrize("name", WAYS)
def test_draws_seldom_look_as_if_they_were_none(name: str, workers: int) -> None:
    """In 20,000 series of 5 to 12 rounds: the bound holds with each of them."""
    rng, draw = random.Random(name), WAYS[name]
    seen = 0
    for _ in range(20_000):
        series = [Calls(draw(rng), tuple(draw(rng) for _ in range(workers))) for _ in range(rng.randint(5, 12))]
        # The bound is for rounds that look slow; 0 is said of others, which speak for nothing.
        seen += 0.0 < chance.chance(series) <= 0.002
    assert seen <= 40


@pytest.mark.parametrize(
    ("concurrent", "enough"),
    [((1, 2, 3, 4), 4), ((4, 4, 4, 4), 5), ((2, 2), 6), ((1, 1, 2, 2), 7), ((1, 2), 8), ((1, 1, 1, 5), 10)],
)
def test_a_queue_is_none_after_some_rounds(concurrent: tuple[float, ...], enough: int) -> None:
    assert chance.chance(rounds(enough, *concurrent)) < 3e-4
    assert chance.chance(rounds(2, *concurrent)) > 3e-4


def test_single_rounds_may_be_of_another_kind() -> None:
    queue = rounds(9, 1, 2, 3, 4)
    assert chance.chance([*queue, Calls(4.0, (1.0, 2.0, 3.0, 4.0))]) < 3e-4
    assert chance.chance([*queue, Calls(1.0, (1.0, 2.0, 9.0, 12.0))]) < 3e-4


def test_a_queue_of_calls_that_vary_needs_more_rounds() -> None:
    assert chance.chance(rounds(5, 1, 2, 3, 4, jitter=0.2)) > 3e-4
    assert chance.chance(rounds(25, 1, 2, 3, 4, jitter=0.2)) < 3e-4


def test_no_chance_test_where_concurrent_calls_took_no_longer() -> None:
    assert chance.chance(rounds(3, 1, 1, 1, 1)) == 0.0
    assert chance.chance(rounds(3, 1.1, 1.2, 1.1, 1.15)) == 0.0


def test_many_rounds_of_many_workers_are_no_effort() -> None:
    assert chance.chance(rounds(500, *range(1, 33))) < 3e-4


def test_what_draws_would_come_to() -> None:
    same = rounds(9, 1, 1, 1, 1)
    assert chance.drawn(same) == math.inf
    rng = random.Random(1)
    # The longest of four takes five times as long in 76 of 100 rounds: 4 * 2.2 / (0.24 + 5 * 0.76).
    mixed = [
        Calls(draw(rng), tuple(draw(rng) for _ in range(4)))
        for draw in [WAYS["three in ten take five times as long"]] * 40
    ]
    assert chance.drawn(mixed) == pytest.approx(2.18, rel=0.1)
    # Three rounds in which the serial call took as long as the longest one speak for 4.
    lucky = [Calls(5.0, (1.0, 5.0, 1.0, 1.0)), Calls(5.0, (1.0, 5.0, 5.0, 1.0)), Calls(1.0, (1.0, 1.0, 1.0, 1.0))]
    assert chance.drawn(lucky) < 2.4


@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.parametrize("name", WAYS)
def test_what_draws_come_to_at_most_is_seldom_too_low(name: str, workers: int) -> None:
    rng, draw = random.Random(name), WAYS[name]
    together = [[draw(rng) for _ in range(workers)] for _ in range(20_000)]
    truth = sum(map(sum, together)) / sum(map(max, together))
    lower = 0
    for _ in range(300):
        series = [Calls(draw(rng), tuple(draw(rng) for _ in range(workers))) for _ in range(rng.randint(24, 60))]
        lower += chance.drawn_at_most(series) < 0.9 * truth
    assert lower == 0


def test_what_draws_come_to_at_most_is_known_after_some_rounds() -> None:
    rng = random.Random(3)
    series = [Calls(rng.expovariate(1), tuple(rng.expovariate(1) for _ in range(4))) for _ in range(100)]
    assert chance.drawn_at_most(series[:20]) == math.inf
    assert 1.92 < chance.drawn_at_most(series) < 2.5


def test_draws_are_of_all_workers_where_only_the_first_are_listed() -> None:
    listed = (0.010,) * 32
    seen = [Calls(alone, listed, workers=100) for alone in (0.010, 0.014, 0.010)]
    assert chance.drawn(seen) > 70
    assert chance.drawn([calls._replace(workers=0) for calls in seen]) < 33


def test_further_serial_calls_count_as_such() -> None:
    rng = random.Random(2)
    queue = [
        Calls(rng.expovariate(1), (1.0, 4.0, 5.0, 6.0), (rng.expovariate(1), rng.expovariate(1))) for _ in range(20)
    ]
    assert chance.by_ranks(queue) != chance.by_ranks([calls._replace(others=()) for calls in queue])
