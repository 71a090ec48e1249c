"""Verdicts on holds and blocks name the author's line, also where the standard library does the holding."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from conftest import Suite, text_of


def test_a_block_inside_the_library(suite: Suite) -> None:
    result = suite(
        """
import queue

@pytest.mark.expect_nonblocking(max_block="10ms")
async def test_body():
    try:
        queue.Queue().get(timeout=0.1)
    except queue.Empty:
        pass
"""
    )
    result.assert_outcomes(failed=1, passed=1)
    assert "test_suite.py:9 in test_body: queue.Queue().get(timeout=0.1) Try:" in text_of(result)


@pytest.fixture(params=[0.005, 1], ids=["usual interval", "long interval"])
def switch_interval(request: pytest.FixtureRequest) -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(request.param)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("switch_interval")
def test_a_hold_inside_the_library(suite: Suite) -> None:
    result = suite(
        r"""
import re

@pytest.mark.expect_gil_released(max_hold="5ms")
def test_body():
    re.match(r"(a+)+$", "a" * 19 + "b")
"""
    )
    result.assert_outcomes(failed=1, passed=1)
    assert 'test_suite.py:8 in test_body: re.match(r"(a+)+$", "a" * 19 + "b") Try:' in text_of(result)
