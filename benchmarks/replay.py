"""Wrong verdicts of the measuring loop, fed with the rounds that a real machine gave.

    python benchmarks/replay.py [--trials 200] [--margin 0.25] [--data FILE]
    python benchmarks/replay.py --constants [NAME ...] --trials 2

Reads what votes.py has recorded. Every verdict walks through consecutive rounds of one body beside one load, from
a random place, so that bursts stay bursts; fresh workers begin at another place, and reference
workloads and probes of the GIL are those that followed the round. The truth is the body's own median on the idle
machine. A healthy body has exactly ``at_least``, a loss exactly ``at_least / (1 + margin)``: the two hardest cases that
the promise covers. ``--constants`` gives each constant of the engine (or those named) half and twice its value, and
prints what that changes; with the same seed, so that the rounds are the same as long as the verdicts are.
Exits with 1 if a verdict was wrong.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from collections import Counter
from pathlib import Path

from recording import DATA, Replay, Series, read
from verdicts import print_rows, upper_bound
from votes import figures

from pytest_concurrency.core.stats import middle
from pytest_concurrency.engine import constants
from pytest_concurrency.engine.claims import SpeedupClaim
from pytest_concurrency.engine.plan import Plan
from pytest_concurrency.engine.procedure import settle

MAX_TIME = 10.0  # seconds, the default of a test


def verdict(series: Series, at_least: float, margin: float, rng: random.Random) -> str:
    """Measure a recorded body as a test with this threshold would."""
    plan = Plan(series.setup, (SpeedupClaim(series.workers, at_least, margin),))
    return settle(plan, Replay(series, rng), MAX_TIME).verdict


def truths(recorded: list[Series]) -> dict[str, float]:
    """Each body's median on the idle machine."""
    return {
        series.case: series.truth * statistics.median(map(middle, figures(series)))
        for series in recorded
        if series.load == "idle"
    }


def scaled(value: object, factor: float) -> object:
    """Return a constant's value times a factor: of pairs, the second; probabilities stay below one half."""
    if isinstance(value, tuple):
        return tuple((at[0], scaled(at[1], factor)) if isinstance(at, tuple) else scaled(at, factor) for at in value)
    if isinstance(value, int):
        return max(1, round(value * factor))
    assert isinstance(value, float)
    return min(0.45, value * factor) if 0 < value < 0.5 else value * factor


def ends_of(recorded: list[Series], true: dict[str, float], margin: float, trials: int, seed: int) -> Counter[str]:
    """How many verdicts were wrong, right and undecided, over all loads and both kinds of bodies."""
    rng, found = random.Random(seed), Counter[str]()
    for series in recorded:
        for part, wrong in ((1.0, "not_met"), (1.0 + margin, "met")):
            for _ in range(trials):
                end = verdict(series, true[series.case] * part, margin, rng)
                found["wrong" if end == wrong else "undecided" if end == "undecided" else "right"] += 1
    return found


def vary(names: list[str], recorded: list[Series], margin: float, trials: int, seed: int) -> None:
    """Print wrong and undecided verdicts with each constant at half and at twice its value."""
    true = truths(recorded)
    today = ends_of(recorded, true, margin, trials, seed)
    rows = [("constant", "value", "wrong, undecided at half", "at twice")]
    rows.append(("(as they are)", "", f"{today['wrong']}, {today['undecided']}", f"of {today.total()}"))
    for name in names or [constant.name for constant in constants.TABLE]:
        value, cells = getattr(constants, name), []
        for factor in (0.5, 2.0):
            setattr(constants, name, scaled(value, factor))
            try:
                found = ends_of(recorded, true, margin, trials, seed)
                cells.append("same" if found == today else f"{found['wrong']}, {found['undecided']}")
            except (ArithmeticError, LookupError, StopIteration, ValueError) as error:
                cells.append(type(error).__name__)
            finally:
                setattr(constants, name, value)
        rows.append((name, str(value), *cells))
        print(*rows[-1], sep="  ", file=sys.stderr, flush=True)
    print_rows(rows, markdown=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--margin", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--constants", nargs="*", metavar="NAME")
    options = parser.parse_args()
    recorded = read(options.data)
    if options.constants is not None:
        vary(options.constants, recorded, options.margin, options.trials, options.seed)
        return
    true = truths(recorded)
    rng = random.Random(options.seed)
    ends: dict[tuple[str, str], Counter[str]] = {}
    for series in recorded:
        for kind, part in (("healthy", 1.0), ("loss", 1.0 + options.margin)):
            counts = ends.setdefault((series.load, kind), Counter())
            at_least = true[series.case] * part
            counts.update(verdict(series, at_least, options.margin, rng) for _ in range(options.trials))
    rows = [("load", "body", "verdicts", "wrong", "at most (95 %)", "undecided")]
    found = 0
    for kind, wrong in (("healthy", "not_met"), ("loss", "met")):
        total: Counter[str] = Counter()
        for (load, of), counts in ends.items():
            if of == kind:
                rows.append(row(load, kind, counts, wrong))
                total += counts
        rows.append(row("all", kind, total, wrong))
        found += total[wrong]
    print_rows(rows, markdown=True)
    sys.exit(found > 0)


def row(load: str, kind: str, counts: Counter[str], wrong: str) -> tuple[str, ...]:
    number = sum(counts.values())
    return (
        load,
        kind,
        str(number),
        str(counts[wrong]),
        f"{upper_bound(counts[wrong], number) * 100:.4f} %",
        f"{counts['undecided'] / number * 100:.1f} %",
    )


if __name__ == "__main__":
    main()
