"""From a marker to its expectation. Each marker has a module, which is found by its name and loaded on use."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from pytest_concurrency.expectations import MARKERS, keywords
from pytest_concurrency.expectations.base import Expectation, Kind


def kind_of(name: str) -> Kind:
    """Return the expectation behind a marker's name."""
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
    kind = kind_of(name)
    arguments = keywords.read(name, positional, given, kind.keywords)
    kind.check(name, arguments, body_is_async)
    return Expectation(kind, arguments, dict(given))
