"""Values of pytest 9's native TOML configuration, with the types that TOML has: numbers, booleans, lists."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest


def value_of(config: pytest.Config, key: str) -> Any:
    """Return a key's value from a TOML file with pytest's native table; None if there is none.

    pytest accepts one type for each key. That type is text in this plugin, so that ``"10s"`` and ini files work with
    every version of pytest; what has another type is read from the file itself.
    """
    path = config.inipath
    if path is None or path.suffix != ".toml":
        return None
    # Before Python 3.11, pytest itself depends on tomli.
    tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    with path.open("rb") as file:
        tables = tomllib.load(file)
    table = tables.get("tool", {}).get("pytest", {}) if path.name == "pyproject.toml" else tables.get("pytest", {})
    return table.get(key)
