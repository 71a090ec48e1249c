"""Keywords of markers."""

from __future__ import annotations

import importlib

import pytest

from pytest_concurrency.expectations import MARKERS, keywords


@pytest.mark.parametrize("name", MARKERS)
def test_example_of_each_marker_is_a_correct_use(name: str) -> None:
    kind = importlib.import_module(f"pytest_concurrency.expectations.{MARKERS[name].module}").KIND
    called, arguments = MARKERS[name].example.rstrip(")").split("(", 1)
    assert called == name == kind.name
    assert keywords.read(name, (), eval(f"dict({arguments})"), kind.keywords)
