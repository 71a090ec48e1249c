"""Every fact about pytest-xdist that this plugin relies on; it does not import it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def is_worker(config: pytest.Config) -> bool:
    """Whether this process runs tests for a controller, which alone reports and writes files."""
    return hasattr(config, "workerinput")
