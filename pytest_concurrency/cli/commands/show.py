"""Show one saved run: its machine, and every verdict with its figure."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_concurrency.cli.commands import add_storage, terminal_width
from pytest_concurrency.core.model import Estimate
from pytest_concurrency.core.units import count
from pytest_concurrency.reports.text_table import table
from pytest_concurrency.runs import fingerprint
from pytest_concurrency.runs.store import Storage
from pytest_concurrency.verdicts import not_met

SUMMARY = "show one saved run, or a run's file"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_name", metavar="RUN", help="name of a saved run, path of a run's file, or 'latest'")
    add_storage(parser)


def run(arguments: argparse.Namespace) -> int:
    found = Storage(arguments.storage).load(arguments.run_name)
    if "name" in found:
        print(f"{found['name']}, saved {found.get('created', 'at an unknown time')}")
    print(fingerprint.describe(found["environment"]))
    for nodeid in found.get("regressions", ()):
        print(f"slower than its baseline: {nodeid}")
    rows = list(_rows(found))
    if rows:
        print()
        heads = ("test", "verdict", "expects", "figure", "rounds")
        for line in table(heads, rows, terminal_width(), elastic=0, right=(4,)):
            print(line)
    print(f"\n{count(len(found['records']), 'test')}, {count(len(rows), 'verdict')}")
    return 0


def _rows(found: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for record in found["records"]:
        for expectation in record["expectations"]:
            estimate = expectation["estimate"]
            figure = not_met.figure(Estimate(**estimate)).replace(" to ", ", ") if estimate else "-"
            marker = expectation["marker"].removeprefix("expect_")
            yield record["nodeid"], expectation["verdict"], marker, figure, str(expectation["rounds"])
