"""Report files: checked before a long run, and written completely or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pytest_concurrency.core.atomic_files import check_writable, is_stream, write_whole
from pytest_concurrency.reports import formats
from pytest_concurrency.runs import schema

_JOB_SUMMARY = "GITHUB_STEP_SUMMARY"
_SCHEMA = re.compile(r'\s*\{\s*"schema":\s*(\d+)')


def check(reports: Sequence[tuple[str, str]], storage: str) -> None:
    """Check before a long run whether its reports can be written.

    :param storage: the folder of saved runs, which a report may not overwrite.
    :raises ValueError: a report cannot be written. The message names the report and the reason.
    """
    taken: dict[Path, str] = {}
    for kind, path in reports:
        if reason := formats.load(kind).unavailable():
            raise ValueError(f"--concurrency-report={kind}:{path} cannot be made: {reason} Nothing was run.")
        try:
            check_writable(Path(path))
            keep_out(Path(path), storage)
            other = taken.setdefault(Path(path).resolve(), f"{kind}:{path}")
            overwritten = not (is_stream(Path(path)) or _is_job_summary(Path(path)))
        except OSError as error:
            raise ValueError(
                f"--concurrency-report={kind}:{path} cannot be written: {error}. Nothing was run. "
                "Name a file in a folder that can be written to."
            ) from None
        if other != f"{kind}:{path}" and overwritten:
            raise ValueError(
                f"--concurrency-report={other} and --concurrency-report={kind}:{path} name the same file, and one "
                "would be lost. Nothing was run. Name two files."
            )


def keep_out(path: Path, storage: str | Path) -> None:
    """Refuse to write a report over a saved run, or over what only a newer version of this plugin can read.

    :raises PermissionError: the path is in the folder of saved runs, or names such a file.
    """
    if path.resolve().parent == Path(storage).resolve():
        raise PermissionError(f"{storage} is the folder of saved runs, which are never overwritten")
    if path.is_file():
        with path.open(encoding="utf-8", errors="replace") as file:
            found = _SCHEMA.match(file.read(200))
        if found and schema.newer({"schema": int(found[1])}):
            raise PermissionError(f"{path} was written by a newer version of this plugin, and is not overwritten")


def write(
    reports: Sequence[tuple[str, str]], run: Mapping[str, Any], history: Callable[[], Sequence[Mapping[str, Any]]]
) -> list[str]:
    """Write every report and return the errors. If a report cannot be written, the others are still written.

    :param history: returns earlier runs, oldest first; called only if a report shows them.
    """
    complaints = []
    for kind, path in reports:
        try:
            made = formats.load(kind)
            now = datetime.now(timezone.utc).isoformat(timespec="seconds")
            chunks = made.render({"created": now, **run}, history()) if made.FOR_PEOPLE else made.render(run, ())
            write_text(Path(path), chunks)
        except Exception as error:
            complaints.append(f"{kind}:{path} could not be written: {type(error).__name__}: {error}")
    return complaints


def write_text(path: Path, chunks: Iterator[str]) -> None:
    """Write a file completely or not at all; append to the summary of a job on GitHub Actions.

    :raises OSError: the file cannot be written.
    """
    if _is_job_summary(path):  # to replace it would lose what earlier commands of the same step have written
        text = "".join(chunks)
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    else:
        write_whole(path, chunks)


def _is_job_summary(path: Path) -> bool:
    summary = os.environ.get(_JOB_SUMMARY)
    return bool(summary) and path.absolute() == Path(str(summary)).absolute()
