"""Exact probabilities, against which the decision rule and its simulation are held."""

from __future__ import annotations

import math
from collections.abc import Sequence


def binomial_tail(successes: int, trials: int, probability: float) -> float:
    """P(X >= successes) for X ~ Binomial(trials, probability)."""
    below = sum(
        math.comb(trials, k) * probability**k * (1 - probability) ** (trials - k) for k in range(max(0, successes))
    )
    return max(0.0, 1.0 - below)


def upper_bound(successes: int, trials: int, confidence: float = 0.95) -> float:
    """Clopper & Pearson's (1934) one-sided upper bound of a probability."""
    if successes >= trials:
        return 1.0
    low, high = 0.0, 1.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        if 1 - binomial_tail(successes + 1, trials, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def walk(votes: Sequence[tuple[float, float, float]], enough_right: float, enough_wrong: float) -> tuple[float, float]:
    """P(the lead of right votes reaches its bound), P(that of wrong votes reaches its own), exactly.

    A vote is of each kind with some probability, has a weight, and is wrong with a probability:
    ``votes`` holds (probability of the kind, weight, probability of a wrong vote). Leads are kept to
    a hundredth of a nat, and the walk is followed until less than 1e-10 of it is undecided.
    """
    alive, right, wrong = {0.0: 1.0}, 0.0, 0.0
    while sum(alive.values()) > 1e-10:
        after: dict[float, float] = {}
        for lead, mass in alive.items():
            for kind, weight, error in votes:
                for step, chance in ((weight, 1 - error), (-weight, error)):
                    reached, part = round(lead + step, 2), mass * kind * chance
                    if reached >= enough_right - 0.01:
                        right += part
                    elif reached <= -enough_wrong + 0.01:
                        wrong += part
                    elif part > 1e-15:
                        after[reached] = after.get(reached, 0.0) + part
        alive = after
    return right, wrong


def confirmed(first: float, confirmation: float) -> float:
    """P(a two-stage conclusion is wrong) if a contradicted first stage starts again.

    ``first`` and ``confirmation`` are the probabilities that each stage ends on the wrong side.
    """
    return first * confirmation / (1 - first * (1 - confirmation))
