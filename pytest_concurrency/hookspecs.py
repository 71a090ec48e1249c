"""Hooks for other plugins and for a project's conftest.py.

``pytest_concurrency_backends`` and ``pytest_concurrency_update_record`` are about one test, so of the conftest files
only those of its own folder and of the folders above are called.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest


@pytest.hookspec
def pytest_concurrency_backends(config: pytest.Config) -> Mapping[str, Any] | None:
    """Return backends for ``executor="name"``: ``{name: what}``; the nearest conftest.py wins if two give one name.

    ``what`` is a ``concurrent.futures.Executor``, which you shut down yourself, or a function that
    returns one. The function is called for each measured test, with the number of workers if it takes
    an argument, and the executor is shut down after the test.
    """


@pytest.hookspec
def pytest_concurrency_update_record(config: pytest.Config, record: dict[str, Any]) -> None:
    """Change one test's record in place before it is reported; keep to plain JSON types."""


@pytest.hookspec
def pytest_concurrency_update_environment(config: pytest.Config, environment: dict[str, Any]) -> None:
    """Change in place what is reported about the machine; keep to plain JSON types."""


@pytest.hookspec
def pytest_concurrency_report(config: pytest.Config, run: dict[str, Any]) -> None:
    """Called once at the end with the whole run, as ``json:PATH`` writes it; write your own format."""
