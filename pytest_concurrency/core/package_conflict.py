"""Whether this package's files are its own: an unrelated distribution ships a package of the same name."""

from __future__ import annotations

import pytest_concurrency


def why() -> str | None:
    """Return what has happened and what to do, or None if all is well."""
    if getattr(pytest_concurrency, "__distribution__", None) == "pytest-concurrency-perf":
        return None
    return (
        f"The files in {pytest_concurrency.__file__} are not those of pytest-concurrency-perf: the unrelated "
        "distribution 'pytest-concurrency' ships a package of the same name and has overwritten them. Run: "
        "pip uninstall pytest-concurrency && pip install --force-reinstall pytest-concurrency-perf"
    )
