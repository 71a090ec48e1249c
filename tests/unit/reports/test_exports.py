"""Files for other tools: CSV, Bencher Metric Format, github-action-benchmark; and what holds for every format."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from pytest_concurrency.core.outcomes import Estimate, Point
from pytest_concurrency.machine import cpus
from pytest_concurrency.reports import formats
from pytest_concurrency.runs import record

from ..make import outcome

CURVE = (
    Point(2, Estimate(1.9, 1.8, 2.0), 0.95, 0.05, 0.0, 0.1, 0.0, 0.0, None),
    Point(4, Estimate(2.4, 2.3, 2.5), 0.6, 0.22, 0.2, 0.25, 0.0, 0.0, None),
)
HOLD: dict[str, Any] = {
    "marker": "expect_gil_released",
    "claim": "longest hold",
    "unit": "seconds",
    "estimate": Estimate(0.002, 0.001, 0.003, "seconds"),
    "comparison": "<=",
    "threshold": 0.005,
}
SHARE: dict[str, Any] = {
    "marker": "expect_io_bound",
    "claim": "waiting",
    "unit": "share",
    "estimate": Estimate(0.97, 0.96, 0.98, "share"),
    "threshold": 0.5,
}
RUN = record.run_of(
    cpus.environment(),
    [
        record.record_of("a.py::test_fetch", [outcome(), outcome(**SHARE), outcome(**HOLD)]),
        record.record_of("a.py::test_slow", [outcome(verdict="not_met", estimate=Estimate(1.0, 0.99, 1.03))]),
        record.record_of("a.py::test_few", [outcome(verdict="unmeasurable", estimate=None)]),
        record.record_of("a.py::test_curve", [outcome(marker="expect_scaling", curve=CURVE)]),
        record.record_of("a.py::test_twice", [outcome(), outcome()]),
    ],
)


def text_of(name: str, run: dict[str, Any] = RUN) -> str:
    return "".join(formats.load(name).render(run, ()))


def test_csv_has_a_line_for_each_verdict_with_bare_numbers() -> None:
    rows = list(csv.DictReader(io.StringIO(text_of("csv"))))
    assert len(rows) == 8
    assert [rows[0][name] for name in ("test", "verdict", "figure", "low", "high", "unit")] == [
        *("a.py::test_fetch", "met", "3.97", "3.91", "4.02", "ratio"),
    ]
    slow = next(row for row in rows if row["verdict"] == "not_met")
    assert (slow["place"], slow["try"]) == ("test_shop.py:10 in fetch: with LOCK:", "remove the lock.")
    few = next(row for row in rows if row["verdict"] == "unmeasurable")
    assert (few["figure"], few["threshold"], few["workers"]) == ("", "3.0", "4")


def test_bmf_has_a_benchmark_for_each_figure_with_its_interval() -> None:
    benchmarks = json.loads(text_of("bmf"))
    assert benchmarks["a.py::test_fetch (speedup, 4 threads)"] == {
        "speedup": {"value": 3.97, "lower_value": 3.91, "upper_value": 4.02}
    }
    assert list(benchmarks["a.py::test_fetch (gil_released, 4 threads)"]) == ["longest-hold"]
    assert "a.py::test_curve (scaling, 2 threads)" in benchmarks
    assert "a.py::test_twice (speedup, 4 threads) #2" in benchmarks
    assert len(benchmarks) == 8
    for measures in benchmarks.values():
        for value in measures.values():
            assert value["lower_value"] <= value["value"] <= value["upper_value"]


def test_benchmark_action_has_figures_of_which_more_is_better() -> None:
    entries = json.loads(text_of("benchmark-action"))
    assert entries[0] == {
        "name": "a.py::test_fetch (speedup, 4 threads)",
        "unit": "x",
        "value": 3.97,
        "range": "3.91x to 4.02x",
        "extra": "met, required >= 3x\nbound type: io\n6 rounds",
    }
    assert entries[1]["unit"] == "%"
    assert entries[1]["value"] == 97.0
    of_points = {entry["name"]: entry["extra"].partition("\n")[0] for entry in entries if "scaling" in entry["name"]}
    assert of_points["a.py::test_curve (scaling, 2 threads)"].endswith("required >= 1.4x")
    assert not any("gil_released" in entry["name"] for entry in entries), "a longer hold is no improvement"
    assert len({entry["name"] for entry in entries}) == len(entries) == 7


EMPTY = record.run_of(cpus.environment(), [])
OLD = json.loads(json.dumps(RUN))
for _record in OLD["records"]:
    for _expectation in _record["expectations"]:
        for _name in ("finding", "unit", "backend", "worker_count", "tool"):
            del _expectation[_name]


@pytest.mark.parametrize("run", [RUN, EMPTY, OLD], ids=["verdicts", "nothing measured", "without newer properties"])
@pytest.mark.parametrize("name", formats.names())
def test_every_format_renders_every_run(name: str, run: dict[str, Any]) -> None:
    made = formats.load(name)
    if reason := made.unavailable():
        pytest.skip(reason)
    text = text_of(name, run)
    assert text.endswith("\n") or name == "html"
    assert ("a.py::test_fetch" in text.replace('</span><span class="name">', "")) == (run is not EMPTY)
