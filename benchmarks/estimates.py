"""How near a verdict's figure comes to a long run's, and how much less it scatters than one ratio taken by hand.

    python benchmarks/estimates.py [--verdicts 20] [--bodies 40]

In turns, each with workers of its own: a long run, in which each worker runs the body many times; ratios of wall times
as people take them by hand, each worker running it once; and a verdict. The promise: within 3 % of the long runs in the
median, and a spread (half of what lies between the 16th and the 84th percentile) below a third of that of the single
ratios. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.core.model import Body
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.expectations.base import Tolerances, speedup_plan
from pytest_concurrency.measurement.trial import Request, SessionContext, Trial

Call = Callable[[], object]


def wait() -> None:
    time.sleep(0.01)


def hash_it() -> None:
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 12_000)


def compute() -> None:
    sum(number * number for number in range(150_000))


KINDS: dict[str, tuple[Call, str, int, Callable[[int], Executor]]] = {
    "waiting in 4 threads": (wait, "threads", 4, ThreadPoolExecutor),
    "hashing in 2 threads": (hash_it, "threads", 2, ThreadPoolExecutor),
    "computing in 2 processes": (compute, "processes", 2, ProcessPoolExecutor),
}


def repeat(body: Call, times: int) -> None:
    for _ in range(times):
        body()


def by_hand(body: Call, workers: int, make: Callable[[int], Executor]) -> float:
    """A ratio of wall times: as many calls one after the other, in the test itself, and at once in a warm pool."""
    with make(workers) as pool:
        together(pool, workers, body, 1)
        start = time.perf_counter()
        repeat(body, workers)
        return (time.perf_counter() - start) / together(pool, workers, body, 1)


def long_run(body: Call, workers: int, make: Callable[[int], Executor], times: int) -> float:
    """How many times the work of one worker several do in the same time.

    Where that one is makes a difference: a pool's process runs Python code some per cent slower than its parent.
    """
    with make(workers) as pool:
        together(pool, workers, body, 1)
        return workers * together(pool, 1, body, times) / together(pool, workers, body, times)


def together(pool: Executor, workers: int, body: Call, times: int) -> float:
    """Seconds until each of some workers has run the body so many times."""
    start = time.perf_counter()
    for future in [pool.submit(repeat, body, times) for _ in range(workers)]:
        future.result()
    return time.perf_counter() - start


def verdict(body: Call, backend: str, workers: int, at_least: float) -> float:
    """The figure of one verdict, measured by workers of its own."""
    context = SessionContext(Tolerances(), WorkerEnvironment(Path.cwd()))
    plan = speedup_plan(WorkerSetup(backend, workers), at_least, None, context.defaults)
    with Trial.of_body(Body(body, label=body.__name__), context) as trial:
        outcome, _ = trial.decide(Request("the body", "expect_speedup", {}, plan, context.defaults))
    assert outcome.estimate is not None, outcome
    return outcome.estimate.value


def spread(values: Sequence[float]) -> float:
    """Half of the middle 68 %: a standard deviation that outliers leave alone."""
    cuts = statistics.quantiles(values, n=100)
    return (cuts[83] - cuts[15]) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verdicts", type=int, default=20)
    parser.add_argument("--bodies", type=int, default=40)
    options = parser.parse_args()
    for kind, (body, backend, workers, make) in KINDS.items():
        long, ratios, figures = [], [], []
        for _ in range(options.verdicts):
            long.append(long_run(body, workers, make, options.bodies))
            ratios += [by_hand(body, workers, make) for _ in range(3)]
            figures.append(verdict(body, backend, workers, 0.6 * workers))
        reference = statistics.median(long)
        single, off = statistics.median(ratios) / reference - 1, statistics.median(figures) / reference - 1
        part = spread(figures) / spread(ratios)
        print(
            f"{kind:26} long runs {reference:.3f}; single ratios {single:+.1%}, verdicts {off:+.1%}; "
            f"spread of verdicts {spread(figures) / reference:.1%}, {part:.2f} of the single ratios'"
        )


if __name__ == "__main__":
    main()
