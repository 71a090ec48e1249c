from __future__ import annotations

from pytest_concurrency.reports.junit_properties import properties_of
from pytest_concurrency.runs.record import record_of

from ..make import outcome


def test_figures_are_flat_scalars() -> None:
    found = dict(properties_of(record_of("a", [outcome(marker="expect_speedup")])))
    assert found["concurrency_expect_speedup_verdict"] == "met"
    assert found["concurrency_expect_speedup_estimate"] == 3.97
    assert found["concurrency_expect_speedup_low"] == 3.91
    assert found["concurrency_expect_speedup_high"] == 4.02
    assert found["concurrency_expect_speedup_unit"] == "ratio"
    assert found["concurrency_bound"] == "io"
    assert {type(value) for value in found.values()} <= {str, int, float}


def test_several_expectations_have_names_of_their_own() -> None:
    outcomes = [outcome(marker="speedup"), outcome(marker="bound"), outcome(marker="speedup", verdict="undecided")]
    found = properties_of(record_of("a", outcomes))
    assert [(name, value) for name, value in found if name.endswith("verdict")] == [
        ("concurrency_speedup_verdict", "met"),
        ("concurrency_bound_verdict", "met"),
        ("concurrency_speedup_2_verdict", "undecided"),
    ]
    assert len({name for name, _ in found}) == len(found)


def test_what_is_not_known_is_left_out() -> None:
    found = dict(properties_of(record_of("a", [outcome(estimate=None, threshold=None, bound=None)])))
    assert not [name for name in found if name.endswith(("estimate", "low", "high", "unit", "threshold"))]
    assert "concurrency_bound" not in found
