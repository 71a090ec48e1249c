"""Concurrency performance assertions for pytest."""

from __future__ import annotations

from typing import Any

# Another distribution ships a package of this name: plugin.py looks here for whose files these are.
__distribution__ = "pytest-concurrency-perf"


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib import metadata

        try:
            return metadata.version(__distribution__)
        except metadata.PackageNotFoundError:  # a checkout on the path that was never installed
            return "0+unknown"
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
