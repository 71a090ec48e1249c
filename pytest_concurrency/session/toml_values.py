"""Values of pytest 9's native TOML configuration, with the types that TOML has: numbers, booleans, lists."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest


def value_of(config: pytest.Config, key: str) -> Any:
    """Return a key's value from the configuration file; None if it is not given.

    pytest accepts one type for each key. That type is text here, so that ``"10s"`` and ini files work with every
    version of pytest; what has another type is read from the file itself.
    """
    try:
        return config.getini(key)
    except Exception:  # a TypeError or a UsageError, depending on pytest's version
        found = _from_file(config, key)
        if found is None:
            raise
        return found


def _from_file(config: pytest.Config, key: str) -> Any:
    path = config.inipath
    if path is None or path.suffix != ".toml":
        return None
    # Before Python 3.11, pytest itself depends on tomli.
    tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    with path.open("rb") as file:
        tables = tomllib.load(file)
    table = tables.get("tool", {}).get("pytest", {}) if path.name == "pyproject.toml" else tables.get("pytest", {})
    return table.get(key)
