"""The study behind the promise: labelled workloads under load, and how often the verdict was wrong.

    python benchmarks/verdicts.py run [--loads idle,busy 4] [--repeat 3] [--priority] [--peers] [--suite FILE]
    python benchmarks/verdicts.py table [--markdown]
    python benchmarks/verdicts.py picture docs/verdicts.svg

Run it on a machine that does nothing else. Results are added to benchmarks/results/verdicts.jsonl, a
line per verdict; what is there already is not run again, so a study can be stopped and continued.
A test named test_met_* is wrong when it fails, one named test_broken_* when it passes. A skipped one is
undecided. The plugin measures at the ordinary priority, and once more at a higher one with --priority. The peers are
the two ways to write such a test by hand: one ratio of wall times, and the best of five.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from loads import LOADS, load

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "verdicts.jsonl"
SUITE = HERE / "trials" / "test_labelled.py"
OURS = "pytest-concurrency-perf"
RAISED = f"{OURS} at a higher priority"
PEERS = ("one shot", "best of five")


def run_once(suite: Path, who: str) -> list[dict[str, Any]]:
    """One session over the suite: a dictionary per test."""
    with tempfile.TemporaryDirectory() as folder:
        junit, report = Path(folder, "junit.xml"), Path(folder, "report.json")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(suite.parent)]
        command += ["-c", os.devnull, f"--junitxml={junit}", str(suite)]
        environment = dict(os.environ)
        if who in (OURS, RAISED):
            priority = "off" if who == OURS else "auto"
            command += [f"--concurrency-report=json:{report}", f"--concurrency-priority={priority}"]
        else:
            environment["VERDICTS_BY_HAND"] = who
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if not junit.exists():
            sys.exit(f"pytest wrote no report (exit {done.returncode}):\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        records = json.loads(report.read_text())["records"] if report.exists() else []
        details = {record["nodeid"].rpartition("::")[2]: record for record in records}
        return [row(case, details.get(case.get("name", ""))) for case in ElementTree.parse(junit).iter("testcase")]


def row(case: ElementTree.Element, record: dict[str, Any] | None) -> dict[str, Any]:
    outcome, message = "passed", ""
    for child in case:
        if child.tag in ("failure", "error", "skipped"):
            outcome, message = child.tag, child.get("message", "")
    name = case.get("name", "")
    expectations = record["expectations"] if record else []
    return {
        "test": name,
        "outcome": outcome,
        "wrong": outcome == "error" or (outcome != "skipped" and (outcome == "passed") != name.startswith("test_met_")),
        "seconds": float(case.get("time", 0)),
        "rounds": sum(expectation["rounds"] for expectation in expectations),
        "bound": record["bound"]["kind"] if record and record["bound"] else None,
        # Where the checkout lies is no one's business.
        "message": re.sub(r"(?<!\w)/\S*/", "", message)[:200] if outcome != "passed" else "",
    }


def run(options: argparse.Namespace) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    done = {(line["who"], line["load"], line["repetition"], line["suite"]) for line in read()}
    suite = Path(options.suite)
    for repetition in range(options.repeat):
        for name in options.loads.split(","):
            for who in (OURS, *([RAISED] if options.priority else ()), *(PEERS if options.peers else ())):
                if (who, name, repetition, suite.name) in done:
                    continue
                try:
                    with load(name):
                        rows = run_once(suite, who)
                except OSError as error:
                    print(f"{who:24} {name:14} left out: {error}", flush=True)
                    continue
                shared = {
                    "who": who,
                    "load": name,
                    "repetition": repetition,
                    "suite": suite.name,
                }
                with RESULTS.open("a") as file:
                    file.writelines(json.dumps({**shared, **line}) + "\n" for line in rows)
                wrong = [line["test"] for line in rows if line["wrong"]]
                skipped = [line["test"] for line in rows if line["outcome"] == "skipped"]
                print(f"{who:24} {name:14} {len(rows):4} verdicts, wrong {wrong}, undecided {skipped}", flush=True)


def read() -> list[dict[str, Any]]:
    if not RESULTS.exists():
        return []
    return [json.loads(line) for line in RESULTS.read_text().splitlines()]


def log_binomial(k: int, of: int, rate: float) -> float:
    """Logarithm of the binomial probability, which stays in range for any number of trials."""
    ways = math.lgamma(of + 1) - math.lgamma(k + 1) - math.lgamma(of - k + 1)
    return ways + k * math.log(rate) + (of - k) * math.log1p(-rate)


def upper_bound(wrong: int, of: int, confidence: float = 0.95) -> float:
    """One-sided exact (Clopper-Pearson) upper bound of a rate, found by bisection."""
    if of == 0 or wrong >= of:
        return 1.0
    low, high = wrong / of, 1 - 1e-12
    for _ in range(60):
        middle = (low + high) / 2
        tail = sum(math.exp(log_binomial(k, of, middle)) for k in range(wrong + 1))
        low, high = (middle, high) if tail > 1 - confidence else (low, middle)
    return high


def table(options: argparse.Namespace) -> None:
    lines = read()
    heads = ("who", "load", "verdicts", "wrong", "at most (95 %)", "undecided", "median s", "95 % within s", "rounds")
    rows = [heads]
    for who in judges(lines):
        for name in (*LOADS, "all"):
            chosen = [line for line in lines if line["who"] == who and name in (line["load"], "all")]
            # The peers can judge speedups only: what they leave out is not undecided.
            chosen = [line for line in chosen if not line["message"].startswith("not by hand")]
            if chosen:
                rows.append(summary(who, name, chosen))
    print_rows(rows, options.markdown)
    print()
    confusion([line for line in lines if line["who"] == OURS], options.markdown)
    if options.markdown:
        print(f"\n{machine()}")


def judges(lines: Iterable[dict[str, Any]]) -> list[str]:
    """Who has judged, ours first, in whatever order results were added."""
    found = {line["who"] for line in lines}
    return [who for who in (OURS, RAISED, *PEERS) if who in found]


def summary(who: str, name: str, lines: list[dict[str, Any]]) -> tuple[str, ...]:
    wrong = sum(line["wrong"] for line in lines)
    seconds = sorted(line["seconds"] for line in lines)
    undecided = sum(line["outcome"] == "skipped" for line in lines)
    return (
        who,
        name,
        str(len(lines)),
        str(wrong),
        f"{upper_bound(wrong, len(lines)) * 100:.2f} %",
        f"{undecided / len(lines) * 100:.1f} %",
        f"{statistics.median(seconds):.2f}",
        f"{seconds[int(len(seconds) * 0.95)]:.2f}",
        f"{statistics.median(line['rounds'] for line in lines):g}",
    )


def confusion(lines: Iterable[dict[str, Any]], markdown: bool) -> None:
    """Bound types that were found, of the tests whose name says the true one."""
    kinds = ("io", "cpu", "mixed", "serialized")
    counts = {(true, found): 0 for true in kinds for found in (*kinds, "undecided")}
    for line in lines:
        true = line["test"].rpartition("-")[2].rstrip("]")
        if line["test"].startswith("test_met_bound[") and true in kinds:
            found = "undecided" if line["outcome"] == "skipped" else line["bound"]
            counts[true, found] += 1
    rows = [("true bound type", *kinds, "undecided")]
    rows += [(true, *(str(counts[true, found]) for found in (*kinds, "undecided"))) for true in kinds]
    print_rows(rows, markdown)


def print_rows(rows: list[tuple[str, ...]], markdown: bool) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("| " + " | ".join(cells) + " |" if markdown else "  ".join(cells).rstrip())
        if markdown and number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def machine() -> str:
    return (
        f"{os.cpu_count()} virtual CPUs, {platform.machine()}, {platform.system()} {platform.release()}, "
        f"{platform.python_implementation()} {platform.python_version()}."
    )


COLORS = {"correct": "#3b7dd8", "undecided": "#c9c9c9", "wrong": "#d1382c"}


def picture(options: argparse.Namespace) -> None:
    """Draw a bar for each load and judge: which part of the verdicts is correct, undecided, and wrong."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    lines = [line for line in read() if not line["message"].startswith("not by hand")]
    names = [name for name in LOADS if any(line["load"] == name for line in lines)]
    people = judges(lines)
    figure, panels = plt.subplots(
        1, len(people), figsize=(2.6 * len(people), 3.4), sharey=True, squeeze=False, layout="constrained"
    )
    for who, axes in zip(people, panels[0], strict=True):
        of_one = [line for line in lines if line["who"] == who]
        left = [0.0] * len(names)
        for part, color in COLORS.items():
            widths = [share_of(part, [line for line in of_one if line["load"] == name]) for name in names]
            axes.barh(names, widths, left=left, color=color, label=part)
            left = [before + width for before, width in zip(left, widths, strict=True)]
        axes.set_title(who.replace(" at a", "\nat a"), fontsize=9)
        axes.set_xlim(0, 100)
        axes.set_xlabel("% of verdicts")
    panels[0][0].invert_yaxis()
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(COLORS), frameon=False)
    figure.savefig(options.file)


def share_of(part: str, lines: list[dict[str, Any]]) -> float:
    """Return which part of these verdicts, in percent, is correct, undecided or wrong."""
    found = ["wrong" if line["wrong"] else "undecided" if line["outcome"] == "skipped" else "correct" for line in lines]
    return 100 * found.count(part) / len(found) if found else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(required=True)
    running = parts.add_parser("run")
    running.add_argument("--loads", default=",".join(LOADS))
    running.add_argument("--repeat", type=int, default=3)
    running.add_argument("--priority", action="store_true", help="also measure at a higher priority")
    running.add_argument("--peers", action="store_true", help="also judge by hand-written assertions")
    running.add_argument("--suite", default=str(SUITE))
    running.set_defaults(call=run)
    showing = parts.add_parser("table")
    showing.add_argument("--markdown", action="store_true")
    showing.set_defaults(call=table)
    drawing = parts.add_parser("picture")
    drawing.add_argument("file")
    drawing.set_defaults(call=picture)
    options = parser.parse_args()
    options.call(options)


if __name__ == "__main__":
    main()
