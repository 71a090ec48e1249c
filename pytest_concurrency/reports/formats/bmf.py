"""``bmf:PATH``: Bencher Metric Format, ``{benchmark: {measure: {value, lower_value, upper_value}}}``.

A benchmark is a test with one of its expectations; measures are ``speedup`` (of several workers to one, 3.9),
``waiting``, ``computing`` and ``gil`` (shares from 0 to 1), ``longest-hold`` and ``longest-block`` (seconds).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_concurrency.reports.figures import figures_of

FOR_PEOPLE = False


def unavailable() -> str | None:
    return None


def render(run: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    benchmarks = {
        figure.name: {
            figure.measure: {"value": figure.value, "lower_value": figure.low, "upper_value": figure.high},
        }
        for figure in figures_of(run)
    }
    yield json.dumps(benchmarks, indent=1) + "\n"
