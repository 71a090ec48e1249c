"""Warnings about measured tests that prove nothing."""

from __future__ import annotations

import pytest


def warn_forgotten(item: pytest.Item, call: str, example: str) -> None:
    """Warn that a call of the fixture measured nothing, because its finding was not compared with anything."""
    item.warn(
        pytest.PytestWarning(
            f"{call} was never compared with anything, so nothing was measured: write assert {example}."
        )
    )


def warn_gauge(item: pytest.Item) -> None:
    """Warn that a gauge's peak is 1 whatever the workers do."""
    item.warn(
        pytest.PytestWarning(
            "concurrency.in_flight() was entered only once, by the test itself, so its peak is 1 whatever runs "
            "inside. Enter it where the work is done, in each worker: with concurrency.in_flight(): in the function "
            "that the threads or tasks run."
        )
    )
