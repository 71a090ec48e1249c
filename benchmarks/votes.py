"""How often a single round votes wrongly, by how far off its figure is: the table behind tally.py.

    python benchmarks/votes.py [--rounds 200] [--loads "idle,busy 1"]

For bodies whose true speedup is known, the round's bounds are set against the truth. A vote is wrong by a
factor r if the pessimistic bound lies r times above the truth, or the optimistic one r times below it.
Prints, per load and in all, the share of rounds wrong by each factor, with an exact 95 % upper bound.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import threading
import time
from pathlib import Path

from loads import LOADS, load
from recording import DATA, Moment, Series, write
from verdicts import machine, print_rows, upper_bound

from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.core.model import Body, Interval
from pytest_concurrency.engine import intervals
from pytest_concurrency.engine.interval_rules.base import ALL_OVERLAPS, NONE_OVERLAPS, Context
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.measurement.worker_bench import WorkerBench

FACTORS = (1.05, 1.12, 1.3, 1.5, 1.8, 2.2)
BLOB = os.urandom(1 << 20)
LOCK = threading.Lock()


def pause() -> None:
    time.sleep(0.01)


def guarded_pause() -> None:
    with LOCK:
        time.sleep(0.008)


def half_guarded_pause() -> None:
    time.sleep(0.008)
    with LOCK:
        time.sleep(0.004)


def count() -> None:
    total = 0
    for i in range(120_000):
        total += i * i


def digest() -> None:
    for _ in range(12):
        hashlib.sha256(BLOB).digest()


def guarded_digest() -> None:
    with LOCK:
        digest()


# body, backend, workers, true speedup on 2 CPUs
CASES = (
    (pause, "threads", 4, 4.0),
    (guarded_pause, "threads", 4, 1.0),
    (half_guarded_pause, "threads", 4, 2.0),
    (count, "threads", 2, 1.0),
    (digest, "threads", 2, 2.0),
    (guarded_digest, "threads", 2, 1.0),
    (count, "processes", 2, 2.0),
    (digest, "processes", 2, 2.0),
)


def record(load_name: str, rounds: int) -> list[Series]:
    """Measure every body beside the load that runs."""
    found = []
    for function, backend, workers, truth in CASES:
        setup = WorkerSetup(backend, workers)
        bench = WorkerBench(Body(function), WorkerEnvironment(Path.cwd()), patience=60.0)
        try:
            moments = [Moment(bench.round(setup), bench.control(setup), bench.probe_gil()) for _ in range(rounds)]
            cpus = bench.site(setup).cpus
        finally:
            bench.close()
        found.append(Series(load_name, f"{function.__name__} {backend}", backend, workers, truth, cpus, moments))
    return found


def figures(series: Series) -> list[Interval]:
    """What rounds say of the speedup, as multiples of the truth."""
    counts_in_turn = series.case.startswith("count") and series.backend == "threads"
    context = Context(series.workers, series.cpus, NONE_OVERLAPS if counts_in_turn else ALL_OVERLAPS)
    said = (intervals.speedup(moment.round, context) for moment in series.moments)
    return [Interval(each.low / series.truth, each.high / series.truth) for each in said if each is not None]


def rates(name: str, recorded: list[Series]) -> tuple[str, ...]:
    found = [said for series in recorded for said in figures(series)]
    cells = [name, str(len(found))]
    for factor in FACTORS:
        wrong = sum(said.low > factor or said.high < 1 / factor for said in found)
        cells.append(f"{wrong / len(found) * 100:.2f} (<{upper_bound(wrong, len(found)) * 100:.2f})")
    return tuple(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--data", type=Path, default=DATA, help="where the rounds go, for replay.py")
    parser.add_argument("--loads", default="idle,busy 1,busy 4,bursts 0.1 s,disk")
    options = parser.parse_args()
    rows = [("load", "rounds", *(f"> {factor:g}x, %" for factor in FACTORS))]
    everything = []
    for name in options.loads.split(","):
        assert name in LOADS, f"{name!r} is not one of {', '.join(LOADS)}"
        with load(name):
            found = record(name, options.rounds)
        rows.append(rates(name, found))
        everything += found
    rows.append(rates("all", everything))
    for case in dict.fromkeys(series.case for series in everything):
        rows.append(rates(case, [series for series in everything if series.case == case]))
    write(everything, options.data)
    print_rows(rows, markdown=True)
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
