"""Every fact about pytest-xdist that this plugin relies on; it does not import it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def is_worker(config: pytest.Config) -> bool:
    """Whether this process runs tests for a controller, which alone reports and writes files."""
    return hasattr(config, "workerinput")


def is_one_of_several(config: pytest.Config) -> bool:
    """Whether other workers run tests at the same time as this process, or as the workers that it controls."""
    given = getattr(config, "workerinput", {}).get("workercount") or getattr(config.option, "tx", None) or ()
    return (given if isinstance(given, int) else len(given)) > 1
