"""The expectations behind the markers: a module for each marker, found by its name and loaded on use."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_concurrency.expectations.markers import MARKERS

if TYPE_CHECKING:  # base imports the engine, which reading an option with keywords does not need
    from pytest_concurrency.expectations.base import Expectation, Kind


def kind_of(name: str) -> Kind:
    """Return the expectation behind a marker's name."""
    from pytest_concurrency.expectations.base import Kind

    module = importlib.import_module(f"pytest_concurrency.expectations.{MARKERS[name].module}")
    kind = module.KIND
    assert isinstance(kind, Kind)
    return kind


def read_marker(
    name: str, positional: tuple[object, ...], given: Mapping[str, object], body_is_async: bool
) -> Expectation:
    """Return the expectation that a marker states about a test.

    :raises BadArgument: the marker has no meaning; the message says why, and what can be written instead.
    """
    from pytest_concurrency.expectations import keywords
    from pytest_concurrency.expectations.base import Expectation

    kind = kind_of(name)
    arguments = keywords.read(name, positional, given, kind.keywords)
    kind.check(name, arguments, body_is_async)
    return Expectation(kind, arguments, dict(given))
