"""Verdicts about workloads made at random, whose right answer follows from a model.

    python benchmarks/generated simulate --seeds 1-2000 --loads idle,busy1,busy4,bursts

Results are added to benchmarks/results/generated-*.jsonl (or --results); what is there already is not done again, so
that a study can be stopped and continued. Exits with 1 if a verdict was wrong.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from pathlib import Path

from generated import cases, loads, recipes, results, simulate
from generated.cases import Case

FOLDER = Path(__file__).resolve().parents[1] / "results"


def seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def names(text: str) -> list[str]:
    found = [name.strip() for name in text.split(",")]
    for name in found:
        if name not in loads.LOADS:
            raise argparse.ArgumentTypeError(f"no load {name!r}; there are {', '.join(loads.LOADS)}")
    return found


def line_of(case: Case, load: str) -> results.Line:
    """One verdict in simulated time, as a line of the results."""
    line = {
        "seed": case.recipe.seed,
        "kind": case.recipe.kind,
        "marker": case.marker,
        "asked": case.asked,
        "workers": case.recipe.workers,
        "load": load,
        "label": case.label,
        "true": [round(case.true.low, 4), round(case.true.high, 4)],
    }
    try:
        settlement = simulate.settled(case, load)
    except Exception:  # an error of the engine is a result too: it stands in place of a verdict
        return {**line, "verdict": "error", "seconds": 0.0, "why": traceback.format_exc(limit=-3)}
    estimate = settlement.results[0].estimate
    return {
        **line,
        "verdict": settlement.verdict,
        "estimate": None if estimate is None else round(estimate.value, 4),
        "rounds": len(settlement.rounds),
        "seconds": round(settlement.seconds, 3),
    }


def run_simulation(options: argparse.Namespace) -> None:
    path = options.results or FOLDER / "generated-simulated.jsonl"
    known = results.read(path)
    done = {(line["seed"], line["load"]) for line in known}
    wanted = {(seed, load) for seed in options.seeds for load in options.loads}
    began = time.monotonic()
    for number, seed in enumerate(options.seeds, 1):
        missing = [load for load in options.loads if (seed, load) not in done]
        if not missing:
            continue
        found = list(cases.some(recipes.draw(seed), options.cases))
        lines = [line_of(case, load) for load in missing for case in found]
        results.add(path, lines)
        known += lines
        for line in filter(results.wrong, lines):
            print(told(line), flush=True)
        if sys.stderr.isatty() or number % 50 == 0:
            print(f"seed {seed}, {number} of {len(options.seeds)}, {time.monotonic() - began:.0f} s", file=sys.stderr)
        if options.seconds and time.monotonic() - began > options.seconds:
            print(f"stopped after {options.seconds:g} s; run it again to go on", file=sys.stderr)
            break
    summarize([line for line in known if (line["seed"], line["load"]) in wanted], options.kinds)


def told(line: results.Line) -> str:
    low, high = line["true"]
    return (
        f"WRONG seed {line['seed']} beside {line['load']}: {line['verdict']} in place of {line['label']}; {line['workers']} "
        f"{line['kind']}; {line['asked']}; true {low:g} to {high:g}, measured {line.get('estimate')}"
    )


def summarize(lines: list[results.Line], kinds: bool) -> None:
    """Print the tables, and leave with 1 if something was wrong."""
    if not lines:
        return
    results.show(results.table(lines, ("load",)))
    print()
    results.show(results.table(lines, ("marker",)))
    if kinds:
        print()
        results.show(results.table(lines, ("kind", "load")))
    sys.exit(any(map(results.wrong, lines)))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python benchmarks/generated", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(required=True)
    simulating = parts.add_parser("simulate", help="verdicts in simulated time")
    simulating.set_defaults(call=run_simulation)
    for part in (simulating,):
        part.add_argument("--seeds", type=seeds, default=seeds("1-200"), help="such as 1-2000")
        part.add_argument("--loads", type=names, default=list(loads.MAIN), help=f"of {', '.join(loads.LOADS)}")
        part.add_argument("--cases", type=int, default=3, help="questions about each recipe, at most")
        part.add_argument("--results", type=Path, help="where results are added")
        part.add_argument("--kinds", action="store_true", help="also a table by kind of recipe")
        part.add_argument("--seconds", type=float, default=0.0, help="stop after so many seconds")
    options = parser.parse_args()
    options.call(options)
