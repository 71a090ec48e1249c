"""Wrong verdicts on bodies whose calls take a random time, by simulation.

    python benchmarks/latencies.py [--trials 1000] [--rounds 25]

Four workers make one call each in a round; speedup is the ratio of mean times. A healthy body has exactly
``at_least`` or 1.3 times that, a loss exactly ``at_least / (1 + margin)`` or 1.28 times less. With few rounds this
asks how often a body looks steady by chance; most tests are then still undecided. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from statistics import fmean

from verdicts import print_rows, upper_bound

from pytest_concurrency.case import Case
from pytest_concurrency.claims import SpeedupClaim, half, margin_cut
from pytest_concurrency.model import Interval
from pytest_concurrency.tally import cast

WORKERS, MARGIN = 4, 0.25
LATENCIES: dict[str, Callable[[random.Random], float]] = {
    "uniform": lambda rng: rng.uniform(0.2, 1.8),
    "exponential": lambda rng: rng.expovariate(1),
    "lognormal": lambda rng: rng.lognormvariate(0, 1),
    "Pareto": lambda rng: rng.paretovariate(2.5),
    "three times slower every second call": lambda rng: (3 if rng.random() < 0.5 else 1) * rng.gauss(1, 0.02),
}
# at_least, as a part of the true speedup, and the verdict that would be wrong
TRUTHS = ((1.0, "broken"), (1 / 1.3, "broken"), (1.25, "met"), (1.6, "met"))


def verdict(latency: Callable[[random.Random], float], claim: SpeedupClaim, rng: random.Random, rounds: int) -> str:
    """Let rounds vote until the claim is decided."""
    case = Case(claim)
    for _ in range(rounds):
        alone = latency(rng)
        figure = WORKERS * alone / max(latency(rng) for _ in range(WORKERS))
        case.take(cast(Interval(figure, figure), margin_cut(claim.margin), 0.008, 0.008 * alone, half(claim.margin)))
        if case.verdict is not None:
            return case.verdict
    return "undecided"


def true_speedup(latency: Callable[[random.Random], float]) -> float:
    """The ratio of mean times."""
    rng = random.Random(7)
    together = fmean(max(latency(rng) for _ in range(WORKERS)) for _ in range(40_000))
    return WORKERS * fmean(latency(rng) for _ in range(40_000)) / together


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=25)
    options = parser.parse_args()
    rows = [("latencies", "at_least / true", "wrong", "at most (95 %)", "undecided")]
    for name, latency in LATENCIES.items():
        true = true_speedup(latency)
        for factor, wrong in TRUTHS:
            rng = random.Random(5)
            claim = SpeedupClaim(WORKERS, true * factor, MARGIN)
            ends = [verdict(latency, claim, rng, options.rounds) for _ in range(options.trials)]
            bound = upper_bound(ends.count(wrong), options.trials) * 100
            open_ = ends.count("undecided") / options.trials * 100
            rows.append((name, f"{factor:.2f}", str(ends.count(wrong)), f"{bound:.2f} %", f"{open_:.0f} %"))
    print_rows(rows, markdown=True)


if __name__ == "__main__":
    main()
