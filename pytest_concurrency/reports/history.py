"""Earlier runs, for the reports that show how a figure developed: only what they show of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_concurrency.core.errors import CommandError
from pytest_concurrency.runs.store import Storage

_MOST = 20  # as many as a chart can show, and a reader wants


def earlier_runs(storage: Storage) -> list[dict[str, Any]]:
    """Return the newest saved runs, oldest of them first; what cannot be read is passed over."""
    runs: list[dict[str, Any]] = []
    for name in reversed(storage.names()):
        if len(runs) == _MOST:
            break
        try:
            runs.append(figures_of(storage.load(name)))
        except CommandError:  # of no use to a history; `list` and `show` tell the reason
            continue
    return runs[::-1]


def figures_of(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run with the figures of its tests and without all that led to them: twenty whole runs may be large."""
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
