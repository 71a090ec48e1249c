"""The figures of earlier runs, for reports that show how a figure developed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_concurrency.core.errors import CommandError
from pytest_concurrency.runs.store import Storage

_MOST = 20  # runs, which are enough for a chart


def earlier_runs(storage: Storage) -> list[dict[str, Any]]:
    """Return the newest saved runs, from the oldest to the newest. Unreadable ones are skipped."""
    runs: list[dict[str, Any]] = []
    for name in reversed(storage.names()):
        if len(runs) == _MOST:
            break
        try:
            runs.append(figures_of(storage.load(name)))
        except CommandError:  # skip a run that cannot be used; `list` and `show` say why
            continue
    return runs[::-1]


def figures_of(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run with only the figures of its tests, because twenty whole runs may be large."""
    return {
        **run,
        "records": [
            {
                "nodeid": record["nodeid"],
                "expectations": [
                    {
                        "marker": expectation["marker"],
                        "arguments": expectation["arguments"],
                        "subject": expectation.get("subject", ""),
                        "estimate": expectation["estimate"],
                    }
                    for expectation in record["expectations"]
                ],
            }
            for record in run["records"]
        ],
    }
