"""Wrong verdicts on bodies whose calls take a random time, by simulation.

    python benchmarks/latencies.py [--trials 1000] [--rounds 25] [--workers 4] [--serial-calls 1] [--lock]

Each of four workers makes one call in a round, the single one as many as ``--serial-calls``; with ``--lock`` they wait
for each other. Speedup is the ratio of mean times. A healthy body has exactly
``at_least`` or 1.3 times that, a loss exactly ``at_least / (1 + margin)`` or 1.28 times less. With few rounds this
asks how often a body looks steady by chance; most tests are then still undecided. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable

from verdicts import print_rows, upper_bound

from pytest_concurrency.testing import RandomLatency

MARGIN = 0.25
LATENCIES: dict[str, Callable[[random.Random], float]] = {
    "uniform": lambda rng: rng.uniform(0.002, 0.018),
    "exponential": lambda rng: rng.expovariate(100),
    "lognormal": lambda rng: rng.lognormvariate(-5, 1),
    "Pareto": lambda rng: 0.005 * rng.paretovariate(2.5),
    "three times slower in half its calls": lambda rng: 0.01 * (3 if rng.random() < 0.5 else 1) * rng.gauss(1, 0.02),
    "five times slower in three of ten": lambda rng: 0.01 * (5 if rng.random() < 0.3 else 1) * rng.gauss(1, 0.02),
    "twice as slow in one of four": lambda rng: 0.01 * (2 if rng.random() < 0.25 else 1) * rng.gauss(1, 0.02),
}
# at_least, as a part of the true speedup, and the verdict that would be wrong
TRUTHS = ((1.0, "not_met"), (1 / 1.3, "not_met"), (1.25, "met"), (1.6, "met"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--serial-calls", type=int, default=1)
    parser.add_argument("--lock", action="store_true")
    options = parser.parse_args()
    rows = [("latencies", "at_least / true", "wrong", "at most (95 %)", "undecided")]
    for name, latency in LATENCIES.items():
        body = RandomLatency(latency, options.workers, options.serial_calls, options.lock)
        true = body.speedup()
        for factor, wrong in TRUTHS:
            rng = random.Random(5)
            ends = [body.verdict(true * factor, MARGIN, rng, options.rounds) for _ in range(options.trials)]
            bound = upper_bound(ends.count(wrong), options.trials) * 100
            open_ = ends.count("undecided") / options.trials * 100
            rows.append((name, f"{factor:.2f}", str(ends.count(wrong)), f"{bound:.2f} %", f"{open_:.0f} %"))
    print_rows(rows, markdown=True)


if __name__ == "__main__":
    main()
