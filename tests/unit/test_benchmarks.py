"""What the benchmarks print, from given times."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import pytest

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"
CostLine = Callable[[str, Sequence[tuple[float, float]]], str]


@pytest.fixture(scope="module")
def cost_line() -> CostLine:
    pytest.importorskip("resource", reason="the benchmark runs on POSIX systems only")
    return cast("CostLine", runpy.run_path(str(BENCHMARKS / "plain_suite.py"))["cost_line"])


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (0, "cost  nothing to compare: ask for one pair of tests or more"),
        (1, "cost  +200 us of CPU time for a test, +1.00% of its 20.0 ms; 1 pair, which has no interval"),
        (2, "cost  +200 us [+200, +200] of CPU time for a test, +1.00% [+1.00%, +1.00%] of its 20.0 ms; 2 pairs"),
    ],
)
def test_cost_line_shows_the_interval_of_two_pairs_or_more(cost_line: CostLine, pairs: int, said: str) -> None:
    assert cost_line("cost", [(0.001, 0.02), (0.0012, 0.02)] * pairs) == said
