"""``json:PATH`` and ``jsonl:PATH``: the records as they are."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


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
        if kind == "json":
            text = json.dumps(run, indent=1) + "\n"
        else:
            head = {name: value for name, value in run.items() if name != "records"}
            text = "".join(json.dumps(line) + "\n" for line in (head, *run["records"]))
        _write_whole(Path(path), text)


def _write_whole(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
