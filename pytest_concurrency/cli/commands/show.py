"""Show one saved run: its machine, and every verdict with its figure."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_concurrency.cli.commands import add_storage, terminal_width
from pytest_concurrency.core.text import printable
from pytest_concurrency.core.units import count
from pytest_concurrency.reports.rows import label_of, rows_of
from pytest_concurrency.reports.text_table import table
from pytest_concurrency.runs import fingerprint
from pytest_concurrency.runs.store import Storage

SUMMARY = "show one saved run, or a run's file"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_name", metavar="RUN", help="name of a saved run, path of a run's file, or 'latest'")
    add_storage(parser)


def run(arguments: argparse.Namespace) -> int:
    found = Storage(arguments.storage).load(arguments.run_name)
    if "name" in found:
        print(printable(f"{found['name']}, saved {found.get('created', 'at an unknown time')}"))
    print(printable(fingerprint.describe(found["environment"])))
    for nodeid in found.get("regressions", ()):
        print(printable(f"REGRESSED from its baseline: {nodeid}"))
    rows = list(_rows(found))
    if rows:
        print()
        heads = ("test", "verdict", "expects", "figure", "rounds")
        for line in table(heads, rows, terminal_width(), right=(4,)):
            print(line)
    print(f"\n{count(len(found['records']), 'test')}, {count(len(rows), 'verdict')}")
    return 0


def _rows(found: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for row in rows_of(found["records"]):
        yield row.nodeid, label_of(row.verdict), row.expects, row.figure, str(row.expectation["rounds"])
