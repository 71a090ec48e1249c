"""``json:PATH`` and ``jsonl:PATH``: the records as they are."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_concurrency import record
from pytest_concurrency.store import write_whole


def check_writable(reports: Sequence[tuple[str, str]]) -> None:
    """Find out before a long run whether its reports can be written.

    :raises ValueError: names the report and the reason.
    """
    for kind, path in reports:
        target = Path(path)
        try:
            if target.is_dir():
                raise IsADirectoryError(f"{path} is a folder")
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=target.parent):
                pass
            if target.exists() and not os.access(target, os.W_OK):
                raise PermissionError(f"{path} is read-only")
        except OSError as error:
            raise ValueError(
                f"--concurrency-report={kind}:{path} cannot be written: {error}. Nothing was run. "
                "Name a file in a folder that can be written to."
            ) from None


def write(reports: Sequence[tuple[str, str]], run: Mapping[str, Any]) -> None:
    """Write every report; each appears whole or not at all."""
    for kind, path in reports:
        write_whole(Path(path), record.text_of(run) if kind == "json" else record.lines_of(run))
