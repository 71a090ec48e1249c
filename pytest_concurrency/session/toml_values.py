"""Values of pytest 9's native TOML configuration that are numbers, booleans or lists."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest


def value_of(config: pytest.Config, key: str) -> Any:
    """Return a key's value from a TOML file with pytest's native table; None if there is none.

    pytest accepts one type for each key. In this plugin it is text, so that ``"10s"`` and ini files work with every
    version of pytest. A value of another type is read from the file itself.
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
