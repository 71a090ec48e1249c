"""Wrong verdicts of the decision rule, fed with the rounds that a real machine gave.

    python benchmarks/replay.py [--trials 2000] [--margin 0.25]

Reads what votes.py has recorded. Every verdict walks through consecutive rounds of one body beside one load, from
a random place, so that bursts stay bursts; fresh workers begin at another place. The truth is the
body's own median on the idle machine. A healthy body has exactly ``at_least``, a loss exactly
``at_least / (1 + margin)``: the two hardest cases that the promise covers. The control body, and
longer batches after rounds that say nothing, are left out, and both would only help.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
from collections import Counter

from verdicts import print_rows, upper_bound
from votes import DATA, Series

from pytest_concurrency.case import Case
from pytest_concurrency.claims import SpeedupClaim, margin_cut
from pytest_concurrency.model import Interval
from pytest_concurrency.tally import Vote, cast

MOST_ROUNDS = 200


def verdict(series: Series, truth: float, claim: SpeedupClaim, rng: random.Random) -> str:
    """Walk through recorded rounds until the claim is decided."""
    case = Case(claim)
    place = rng.randrange(len(series.rounds))
    for _ in range(MOST_ROUNDS):
        said = series.rounds[place % len(series.rounds)]
        place += 1
        vote = Vote(0)
        if said is not None:
            low, high, batch = said
            vote = cast(Interval(low / truth, high / truth), margin_cut(claim.margin), batch)
        if case.take(vote):
            place = rng.randrange(len(series.rounds))
        if case.verdict is not None:
            return case.verdict
    return "undecided"


def truths(recorded: list[Series]) -> dict[str, float]:
    """Each body's median on the idle machine."""
    found = {}
    for series in recorded:
        if series.load == "idle":
            middles = [math.sqrt(said[0] * said[1]) for said in series.rounds if said is not None]
            found[series.case] = statistics.median(middles)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--margin", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    recorded = [Series(**json.loads(line)) for line in DATA.read_text().splitlines()]
    true = truths(recorded)
    rng = random.Random(options.seed)
    ends: dict[tuple[str, str], Counter[str]] = {}
    for series in recorded:
        for kind, at_least in (("healthy", 1.0), ("loss", 1.0 + options.margin)):
            claim = SpeedupClaim(series.workers, at_least, options.margin)
            counts = ends.setdefault((series.load, kind), Counter())
            counts.update(verdict(series, true[series.case], claim, rng) for _ in range(options.trials))
    rows = [("load", "body", "verdicts", "wrong", "at most (95 %)", "undecided")]
    for kind, wrong in (("healthy", "broken"), ("loss", "met")):
        total: Counter[str] = Counter()
        for (load, of), counts in ends.items():
            if of == kind:
                rows.append(row(load, kind, counts, wrong))
                total += counts
        rows.append(row("all", kind, total, wrong))
    print_rows(rows, markdown=True)


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
