"""Make a report from saved runs: an HTML page, a summary for a CI job, or a file for another tool.

The newest run is reported; the others are its history. Without --output, the report goes to standard output.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import Any

from pytest_concurrency.cli.commands import add_storage
from pytest_concurrency.core.atomic_files import check_writable
from pytest_concurrency.core.errors import CommandError
from pytest_concurrency.reports import files, formats
from pytest_concurrency.reports.history import earlier_runs
from pytest_concurrency.runs.store import Storage

SUMMARY = "create an HTML, Markdown or JSON report from saved runs, or a file for another tool"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="+", help="name of a saved run, path of a run's file, or 'latest'")
    parser.add_argument(
        "--format", choices=formats.names(), help="format of the report [by the extension of OUT, else markdown]"
    )
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, help="file to write; an existing one is replaced")
    add_storage(parser)


def run(arguments: argparse.Namespace) -> int:
    out: Path | None = arguments.output
    if out is not None and out.is_dir():
        raise CommandError(f"{out} cannot be written: {out} is a folder")
    name = arguments.format or _format_of(out)
    made = formats.load(name)
    if reason := made.unavailable():
        raise CommandError(f"--format {name}: {reason}")
    storage = Storage(arguments.storage)
    # Files without a date keep the order of the arguments.
    runs = sorted((storage.load(wanted) for wanted in arguments.runs), key=lambda one: str(one.get("created", "")))
    if out is not None and any(
        out.exists() and Path(wanted).exists() and out.samefile(wanted) for wanted in arguments.runs
    ):
        raise CommandError(f"{out} is one of the runs, and would be overwritten: name another file")
    reported = runs.pop()
    history = runs
    if made.FOR_PEOPLE and not runs:
        history = [past for past in earlier_runs(storage) if _when(past) < _when(reported)]
    chunks = made.render(reported, history)
    if out is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")  # as in a file
        sys.stdout.writelines(chunks)
        return 0
    try:
        check_writable(out)
        files.keep_out(out, storage.path)
        files.write_text(out, chunks)
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror or error}") from None
    print(f"written: {out}")
    return 0


def _when(found: dict[str, Any]) -> str:
    """Return when a run was made; a run without a date counts as the newest."""
    return str(found.get("created") or "~")


def _format_of(out: Path | None) -> str:
    suffix = "" if out is None else out.suffix.removeprefix(".").lower()
    suffix = {"md": "markdown", "htm": "html"}.get(suffix, suffix)
    if out is not None and suffix not in formats.names():
        known = ", ".join(f".{name}" for name in formats.names() if "-" not in name)
        raise CommandError(f"{out}: its extension is not that of a format. Use one of {known}, or add --format")
    return suffix or "markdown"
