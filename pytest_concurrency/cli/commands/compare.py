"""Compare two saved runs, without measuring anything.

Only ratios are compared, and only if both runs come from the same kind of machine. With --fail, the exit status is 1
if a test has lost more than that with high confidence, or was met and is not met now.
"""

from __future__ import annotations

import argparse

from pytest_concurrency.cli.commands import add_fail, add_storage, limits_of, terminal_width
from pytest_concurrency.core.errors import CommandError
from pytest_concurrency.reports.changes import lines_of
from pytest_concurrency.runs import allowed_loss
from pytest_concurrency.runs.run_comparison import compare
from pytest_concurrency.runs.store import Storage

SUMMARY = "compare two saved runs"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("baseline", metavar="A", help="the earlier run: a name, a file's path, or 'latest'")
    parser.add_argument("later", metavar="B", help="the later run")
    add_fail(parser)
    parser.add_argument("--anyway", action="store_true", help="also compare runs from different kinds of machines")
    add_storage(parser)


def run(arguments: argparse.Namespace) -> int:
    wanted = limits_of(arguments)
    storage = Storage(arguments.storage)
    baseline, later = storage.load(arguments.baseline), storage.load(arguments.later)
    if baseline == later:
        raise CommandError(
            f"{arguments.baseline} and {arguments.later} are the same run: nothing can have changed. Name two runs"
        )
    if wanted and baseline["records"] and not later["records"]:
        raise CommandError(f"{arguments.later} has no records, so it cannot be compared with {arguments.baseline}")
    found = compare(baseline, later, wanted or allowed_loss.DEFAULT)
    if found.differences:
        why = "; ".join(found.differences)
        if not arguments.anyway:
            raise CommandError(
                f"the runs cannot be compared: {why}. Speedups depend on that. "
                "To see them side by side all the same: --anyway"
            )
        print(f"the machines differ: {why}")
    for line in lines_of(found, terminal_width()):
        print(line.text)
    return 1 if wanted and found.regressions else 0
