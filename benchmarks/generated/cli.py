"""Verdicts about workloads made at random, whose right answer follows from a model.

    python benchmarks/generated simulate --seeds 1-2000 --loads idle,busy1,busy4,bursts   in simulated time
    python benchmarks/generated run --seeds 1-500 --loads idle,busy1,busy4,bursts         as pytest files, in real time
    python benchmarks/generated compare --seeds 1-50     simulated figures against real ones
    python benchmarks/generated shrink --seed 55 --load idle     a wrong verdict's smallest recipe, as a test file
    python benchmarks/generated nulls    how often probes see what is not there
    python benchmarks/generated show --seed 55     a recipe, its questions and its pytest file

Results are added to benchmarks/results/generated-*.jsonl (or --results); what is there already is not done again, so
that a study can be stopped and continued. Exits with 1 if a verdict was wrong.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import traceback
from pathlib import Path

from generated import cases, known, loads, nulls, real, recipes, results, shrink, simulate, source
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


def line_of(case: Case, load: str, max_time: float = simulate.MAX_TIME) -> results.Line:
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
        "gap": known.gap(case, load),
    }
    try:
        settlement = simulate.settled(case, load, max_time=max_time)
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
    lines_so_far = results.read(path)
    done = {(line["seed"], line["load"]) for line in lines_so_far}
    wanted = {(seed, load) for seed in options.seeds for load in options.loads}
    began = time.monotonic()
    for number, seed in enumerate(options.seeds, 1):
        missing = [load for load in options.loads if (seed, load) not in done]
        if not missing:
            continue
        recipe = recipes.draw(seed)
        if options.only not in recipe.kind:
            continue
        found = [case for case in cases.some(recipe, options.cases) if options.asked in case.asked]
        lines = [line_of(case, load, options.max_time) for load in missing for case in found]
        results.add(path, lines)
        lines_so_far += lines
        for line in filter(results.contradicts, lines):
            print(told(line), flush=True)
        if sys.stderr.isatty() or number % 50 == 0:
            print(f"seed {seed}, {number} of {len(options.seeds)}, {time.monotonic() - began:.0f} s", file=sys.stderr)
        if options.seconds and time.monotonic() - began > options.seconds:
            print(f"stopped after {options.seconds:g} s; run it again to go on", file=sys.stderr)
            break
    summarize([line for line in lines_so_far if (line["seed"], line["load"]) in wanted], options.kinds)


def run_for_real(options: argparse.Namespace) -> None:
    path = options.results or FOLDER / "generated-real.jsonl"
    lines_so_far = results.read(path)
    done = {(line["seed"], line["load"]) for line in lines_so_far}
    began = time.monotonic()
    batches = real.shuffled(options.seeds, options.batch)
    for number, batch in enumerate(batches, 1):
        for load in options.loads:
            missing = [seed for seed in batch if (seed, load) not in done]
            asked = [found for seed in missing if (found := real.some(recipes.draw(seed), options.cases))]
            if not asked:
                continue
            lines = real.session(asked, load)
            results.add(path, lines)
            lines_so_far += lines
            for line in filter(results.contradicts, lines):
                print(told(line), line["why"], sep="\n    ", flush=True)
            spent = time.monotonic() - began
            print(
                f"batch {number} of {len(batches)} beside {load}: {len(lines)} verdicts, {spent:.0f} s", file=sys.stderr
            )
            if options.seconds and spent > options.seconds:
                print(f"stopped after {spent:.0f} s; run it again to go on", file=sys.stderr)
                summarize(lines_so_far, options.kinds)
                return
    summarize(
        [line for line in lines_so_far if line["seed"] in options.seeds and line["load"] in options.loads],
        options.kinds,
    )


def compare(options: argparse.Namespace) -> None:
    """Figures of recipes in simulated and in real time: medians of their ratios, by kind."""
    simulated = results.read(options.results or FOLDER / "generated-simulated.jsonl")
    measured = results.read(options.real or FOLDER / "generated-real.jsonl")
    figures = {(line["seed"], line["load"], line["asked"]): line for line in simulated}
    pairs: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for line in measured:
        other = figures.get((line["seed"], line["load"], line["asked"]))
        if line["seed"] not in options.seeds or line["load"] not in options.loads or not line.get("estimate"):
            continue
        if other is None:
            case = next((case for case in cases.cases(recipes.draw(line["seed"])) if case.asked == line["asked"]), None)
            other = line_of(case, line["load"]) if case is not None else None
        if other is not None and other.get("estimate"):
            ratio = line["estimate"] / other["estimate"]
            pairs.setdefault((line["kind"], line["marker"]), []).append((ratio, other["seconds"], line["seconds"]))
    rows = [("kind", "marker", "pairs", "real / simulated", "smallest", "largest", "seconds simulated", "real")]
    for (kind, marker), found in sorted(pairs.items(), key=lambda pair: -max(abs(r - 1) for r, *_ in pair[1])):
        ratios = [ratio for ratio, *_ in found]
        spent = [f"{statistics.median(times):.2f}" for times in list(zip(*found, strict=True))[1:]]
        figure = f"{statistics.median(ratios):.2f}"
        rows.append((kind, marker, str(len(found)), figure, f"{min(ratios):.2f}", f"{max(ratios):.2f}", *spent))
    results.show(rows)


def show(options: argparse.Namespace) -> None:
    """Print a recipe, its questions and its file."""
    recipe = recipes.draw(options.seed)
    print(recipe)
    found = list(cases.cases(recipe))
    for case in found:
        print(f"    {case.asked}: {case.label}, true {case.true.low:.3f} to {case.true.high:.3f}")
    if options.file:
        options.file.write_text(source.module(found))


def shrink_one(options: argparse.Namespace) -> None:
    """Find a wrong verdict about this seed, make it smaller and write it as a test file."""
    found = None
    for case in cases.cases(recipes.draw(options.seed)):
        found = found or shrink.first_wrong(case, options.load, options.tries)
    if found is None:
        sys.exit(f"no verdict about seed {options.seed} beside {options.load} was wrong in {options.tries} runs")
    found = shrink.smaller(found, lambda smaller: print(smaller.case.recipe, smaller.load, flush=True))
    case = found.case
    options.file.write_text(
        f"# Simulated beside {found.load!r}, run {found.run}: {found.verdict} in place of {case.label}.\n"
        f"{source.module([case])}"
    )
    print(
        f"{case.recipe}\n{case.asked}: {found.verdict} in place of {case.label}, true {case.true}; see {options.file}"
    )


def look_at_nulls(options: argparse.Namespace) -> None:
    lines = nulls.measure(options.loads, options.seconds or 5.0)
    results.show(nulls.table(lines))
    if options.results:
        results.add(options.results, lines)


def told(line: results.Line) -> str:
    low, high = line["true"]
    what = "known gap" if line.get("gap") else "WRONG"
    return (
        f"{what}: seed {line['seed']} beside {line['load']}: {line['verdict']} in place of {line['label']}; "
        f"{line['workers']} {line['kind']}; {line['asked']}; true {low:g} to {high:g}, measured {line.get('estimate')}"
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
    simulating.add_argument("--max-time", type=float, default=simulate.MAX_TIME, help="simulated seconds for a verdict")
    simulating.add_argument("--asked", default="", help="a part of the questions, such as gil=")
    simulating.add_argument("--only", default="", help="a part of the recipes' kind, such as exponential")
    simulating.set_defaults(call=run_simulation)
    running = parts.add_parser("run", help="verdicts in real time")
    running.add_argument("--batch", type=int, default=8, help="recipes in each pytest session")
    running.set_defaults(call=run_for_real)
    comparing = parts.add_parser("compare", help="simulated figures against those of run")
    comparing.add_argument("--real", type=Path, help="results of run")
    comparing.set_defaults(call=compare)
    showing = parts.add_parser("show", help="a recipe and its questions")
    showing.add_argument("--seed", type=int, required=True)
    showing.add_argument("--file", type=Path, help="write its pytest file")
    showing.set_defaults(call=show)
    shrinking = parts.add_parser("shrink", help="make a wrong verdict's recipe smaller")
    shrinking.add_argument("--seed", type=int, required=True)
    shrinking.add_argument("--load", default="idle", choices=list(loads.LOADS))
    shrinking.add_argument("--tries", type=int, default=shrink.TRIES, help="runs with other noise")
    shrinking.add_argument("--file", type=Path, default=Path("test_shrunk.py"), help="the test file to write")
    shrinking.set_defaults(call=shrink_one)
    nothing = parts.add_parser("nulls", help="how often probes see what is not there, in real time")
    nothing.add_argument("--loads", type=names, default=list(loads.MAIN))
    nothing.add_argument("--seconds", type=float, default=5.0, help="for each probe, body and load")
    nothing.add_argument("--results", type=Path)
    nothing.set_defaults(call=look_at_nulls)
    for part in (simulating, running, comparing):
        part.add_argument("--seeds", type=seeds, default=seeds("1-200"), help="such as 1-2000")
        part.add_argument("--loads", type=names, default=list(loads.MAIN), help=f"of {', '.join(loads.LOADS)}")
        part.add_argument("--cases", type=int, default=3, help="questions about each recipe, at most")
        part.add_argument("--results", type=Path, help="where results are added")
        part.add_argument("--kinds", action="store_true", help="also a table by kind of recipe")
        part.add_argument("--seconds", type=float, default=0.0, help="stop after so many seconds")
    options = parser.parse_args()
    options.call(options)
