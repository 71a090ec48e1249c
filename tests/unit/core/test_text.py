"""Paragraphs that are broken into lines."""

from __future__ import annotations

import pytest

from pytest_concurrency.core import text


@pytest.mark.parametrize(
    ("indents", "lines"),
    [
        ({}, ["use", "--concurrency-max-time", "there"]),
        ({"indent": "  "}, ["  use", "  --concurrency-max-time", "  there"]),
        ({"indent": "  ", "first": "1. "}, ["1. use", "  --concurrency-max-time", "  there"]),
    ],
)
def test_options_stay_whole(indents: dict[str, str], lines: list[str]) -> None:
    assert text.in_lines("use --concurrency-max-time there", 12, **indents) == lines


def test_all_lines_but_the_first_hang() -> None:
    assert text.hanging("one two three", 8, "  ") == ["one two", "  three"]
