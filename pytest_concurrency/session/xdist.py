"""Which part of a pytest-xdist session this process is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of pytest-xdist. Only the controller reports and writes files."""
    return hasattr(config, "workerinput")


def is_one_of_several(config: pytest.Config) -> bool:
    """Whether several workers of pytest-xdist run tests at the same time."""
    given = getattr(config, "workerinput", {}).get("workercount") or getattr(config.option, "tx", None) or ()
    return (given if isinstance(given, int) else len(given)) > 1
