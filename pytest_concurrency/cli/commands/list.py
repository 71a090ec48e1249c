"""List the saved runs, oldest first."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping
from typing import Any

from pytest_concurrency.cli.commands import add_storage, terminal_width
from pytest_concurrency.core.errors import UnreadableRun
from pytest_concurrency.core.text import printable
from pytest_concurrency.reports.rows import label_of
from pytest_concurrency.reports.text_table import table
from pytest_concurrency.runs import fingerprint
from pytest_concurrency.runs.store import Storage

SUMMARY = "list the saved runs"


def configure(parser: argparse.ArgumentParser) -> None:
    add_storage(parser)


def run(arguments: argparse.Namespace) -> int:
    storage = Storage(arguments.storage)
    storage.check_folder()
    names = storage.names()
    if not names:
        print(f"no runs in {arguments.storage}: save one with `pytest --concurrency-save`")
        return 0
    rows = []
    damaged = []
    for name in names:
        try:
            found = storage.load(name)
        except UnreadableRun as error:
            damaged.append(str(error))
            rows.append((name, "", "", "cannot be read: see below"))
            continue
        saved = str(found.get("created", ""))[:16].replace("T", " ")
        rows.append((name, saved, fingerprint.brief(found["environment"]), _verdicts(found)))
        del found  # Freed before the next one is read, because runs may be large.
    heads = ("run", "saved (UTC)", "machine", "verdicts")
    for line in table(heads, rows, terminal_width()):
        print(line)
    for reason in damaged:
        print(f"\n{printable(reason)}")
    return 0


def _verdicts(found: Mapping[str, Any]) -> str:
    counts = Counter(expectation["verdict"] for record in found["records"] for expectation in record["expectations"])
    parts = [
        f"{counts[name]} {label_of(name)}" for name in ("met", "not_met", "undecided", "unmeasurable") if counts[name]
    ]
    if slower := len(found.get("regressions", ())):
        parts.append(f"{slower} regressed")
    return ", ".join(parts) or "none"
