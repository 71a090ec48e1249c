"""What counts as a change between two runs, and what does not."""

from __future__ import annotations

import random
from typing import Any

import pytest

from pytest_concurrency.core.model import Interval
from pytest_concurrency.runs import allowed_loss, run_comparison

ENVIRONMENT = {"python": "3.11.7", "implementation": "CPython", "gil": True, "system": "Linux", "cpus_usable": 2.0}


def rounds(middle: float, count: int = 24, spread: float = 0.01) -> list[list[float]]:
    """Bounds around a figure, some to the left and some to the right."""
    steps = [1 + spread * (number % 5 - 2) / 2 for number in range(count)]
    return [[middle * step * 0.999, middle * step * 1.001] for step in steps]


def expectation(middle: float = 4.0, *, workers: int | None = 4, **more: Any) -> dict[str, Any]:
    return {
        "marker": "expect_speedup",
        "arguments": {"threads": 4, "at_least": 3},
        "verdict": "met",
        "workers": "4 threads",
        "rounds": 24,
        "series": [{"workers": workers, "bounds": rounds(middle)}],
        **more,
    }


def run(**tests: Any) -> dict[str, Any]:
    records = [
        {"nodeid": nodeid, "expectations": value if isinstance(value, list) else [value]}
        for nodeid, value in tests.items()
    ]
    return {"schema": 1, "environment": ENVIRONMENT, "records": records}


def only(baseline: dict[str, Any], later: dict[str, Any], text: str = "speedup:10%") -> run_comparison.Change:
    (change,) = run_comparison.compare(baseline, later, allowed_loss.parse([text])).changes
    return change


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (4.0, 4.0, "same"),
        (4.0, 3.8, "same"),
        (4.0, 3.6, "noise"),
        (4.0, 3.58, "unsure"),
        (4.0, 3.5, "regression"),
        (4.0, 1.0, "regression"),
        (1.0, 1.05, "same"),
        (1.0, 1.2, "improvement"),
        (2.0, 4.0, "improvement"),
    ],
)
def test_a_change_is_certain_once_the_bounds_are_apart_by_the_limit(before: float, after: float, kind: str) -> None:
    change = only(run(a=expectation(before)), run(a=expectation(after)))
    assert change.kind == kind
    assert change.is_regression == (kind == "regression")
    assert change.before == pytest.approx(before, rel=0.01)
    assert change.after == pytest.approx(after, rel=0.01)


@pytest.mark.parametrize(
    ("text", "after", "kind"),
    [
        ("speedup:30%", 3.0, "same"),
        ("speedup:20%", 3.0, "regression"),
        ("speedup:0.5", 3.4, "regression"),
        ("speedup:0.5", 3.7, "same"),
        ("efficiency:0.1", 3.5, "regression"),  # 1.0 less 0.1, of four workers
        ("efficiency:0.1", 3.7, "same"),
        ("efficiency:5%", 3.7, "regression"),
        ("speedup:50%,efficiency:0.1", 3.5, "regression"),
    ],
)
def test_the_limit_says_what_may_be_lost(text: str, after: float, kind: str) -> None:
    assert only(run(a=expectation(4.0)), run(a=expectation(after)), text).kind == kind


def test_efficiency_says_nothing_where_workers_do_not_count() -> None:
    baseline, later = run(a=expectation(4.0, workers=None)), run(a=expectation(1.0, workers=None))
    assert only(baseline, later, "efficiency:0.1").kind == "same"
    assert only(baseline, later, "speedup:10%").kind == "regression"


def test_too_few_rounds_are_never_certain_and_say_so() -> None:
    few = expectation(1.0, series=[{"workers": 4, "bounds": rounds(1.0, count=5)}])
    for baseline, later, which in (
        (expectation(4.0), few, "this run"),
        ({**few, "series": [{"workers": 4, "bounds": rounds(4.0, count=5)}]}, expectation(1.0), "the baseline"),
    ):
        change = only(run(a=baseline), run(a=later))
        assert change.kind == "unsure"
        assert change.reason == f"{which} has 5 rounds, and 14 are needed"


def test_interference_hides_a_loss_rather_than_making_one() -> None:
    """On a busy machine the bounds lie apart: low as the pessimist says, high as the optimist says."""
    apart = [[1.0, 4.1]] * 24
    busy = expectation(series=[{"workers": 4, "bounds": apart}])
    assert only(run(a=expectation(4.0)), run(a=busy)).kind in ("noise", "unsure")
    assert only(run(a=busy), run(a=expectation(4.0))).kind == "same"  # not faster, only better measured


def test_rounds_that_nothing_disturbed_speak_for_all_if_they_are_enough() -> None:
    apart = [[0.5, 4.1]] * 30
    for undisturbed, kind in ((14, "regression"), (13, "unsure")):
        mixed = apart + [[1.0, 1.01]] * undisturbed
        assert only(run(a=expectation(4.0)), run(a=expectation(series=[{"workers": 4, "bounds": mixed}]))).kind == kind


def test_what_is_new_gone_and_of_another_verdict() -> None:
    baseline = run(gone=expectation(2.0), stays=expectation(verdict="met"))
    later = run(stays=expectation(verdict="undecided"), new=expectation(3.0))
    changes = {change.nodeid: change for change in run_comparison.compare(baseline, later).changes}
    assert {nodeid: change.kind for nodeid, change in changes.items()} == {
        "stays": "verdict",
        "new": "new",
        "gone": "gone",
    }
    assert changes["stays"].verdicts == ("met", "undecided")
    assert not changes["stays"].is_regression
    assert changes["new"].after == pytest.approx(3.0, rel=0.01)
    assert changes["gone"].before == pytest.approx(2.0, rel=0.01)


def test_met_that_is_not_met_now_is_a_regression_without_any_ratio() -> None:
    baseline, later = (run(a=expectation(series=[], verdict=verdict)) for verdict in ("met", "not_met"))
    assert only(baseline, later).is_regression
    assert not only(later, baseline).is_regression


def test_another_threshold_is_the_same_measurement_and_other_workers_are_not() -> None:
    baseline = run(a=expectation())
    other_threshold = run(a=expectation(arguments={"threads": 4, "at_least": 2, "margin": 0.1, "max_time": "3s"}))
    assert only(baseline, other_threshold).kind == "same"
    other_workers = run(a=expectation(arguments={"threads": 8, "at_least": 3}))
    assert [change.kind for change in run_comparison.compare(baseline, other_workers).changes] == ["new", "gone"]


def test_the_same_question_twice_is_distinguished_by_its_place() -> None:
    baseline = run(a=[expectation(4.0), expectation(2.0)])
    later = run(a=[expectation(4.0), expectation(1.0)])
    assert [change.kind for change in run_comparison.compare(baseline, later).changes] == ["same", "regression"]


def test_of_a_test_that_was_run_again_the_last_record_counts() -> None:
    later = run(a=expectation(1.0))
    later["records"] += run(a=expectation(4.0))["records"]
    assert only(run(a=expectation(4.0)), later).kind == "same"


def test_the_worst_point_of_a_curve_is_reported() -> None:
    def curve(two: float, four: float) -> dict[str, Any]:
        points = [{"workers": 2, "bounds": rounds(two)}, {"workers": 4, "bounds": rounds(four)}]
        return expectation(marker="expect_scaling", arguments={}, series=points)

    change = only(run(a=curve(2.0, 4.0)), run(a=curve(2.0, 2.5)))
    assert (change.kind, change.workers) == ("regression", 4)
    assert only(run(a=curve(2.0, 4.0)), run(a=curve(1.5, 4.0))).workers == 2


@pytest.mark.parametrize(
    ("fact", "value", "said"),
    [
        ("cpus_usable", 4.0, "usable CPUs: 2 and 4"),
        ("python", "3.12.1", "Python version: 3.11 and 3.12"),
        ("gil", False, "GIL: on and off"),
        ("implementation", "PyPy", "implementation: CPython and PyPy"),
        ("system", "Darwin", "system: Linux and Darwin"),
    ],
)
def test_runs_that_cannot_be_compared_say_why(fact: str, value: object, said: str) -> None:
    other = {**run(), "environment": {**ENVIRONMENT, fact: value}}
    assert run_comparison.compare(run(), other).differences == (said,)


def test_what_changes_every_week_does_not_matter() -> None:
    other = {**run(), "environment": {**ENVIRONMENT, "python": "3.11.99", "cpus_logical": 8, "farm": "b"}}
    assert run_comparison.compare(run(), other).differences == ()


@pytest.mark.parametrize(
    "text", ["speed:10%", "speedup", "speedup:", "speedup:ten", "speedup:-1", "10%", "", "speedup:10%,", "time:3"]
)
def test_what_is_no_limit_is_reported_with_what_is(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a limit: write FIGURE:LOSS, where FIGURE is speedup or efficiency"):
        allowed_loss.parse([text])


@pytest.mark.parametrize("text", ["speedup:0", "speedup:100%", "speedup:250%", "efficiency:0%"])
def test_a_limit_that_lets_nothing_or_everything_pass(text: str) -> None:
    with pytest.raises(ValueError, match="the loss must be above 0"):
        allowed_loss.parse([text])


def test_several_limits() -> None:
    found = allowed_loss.parse(["speedup:10%, efficiency:0.1", "speedup:10%"])
    assert [str(limit) for limit in found] == ["speedup:10%", "efficiency:0.1"]


def test_no_alarm_from_rounds_that_scatter() -> None:
    """Heavy tails, few rounds, the limit at its smallest useful value: chance alone makes no regression."""
    chance = random.Random(7)
    limit = allowed_loss.parse(["speedup:2%"])
    kinds = set()
    for _ in range(2000):
        before, after = (
            [(figure, figure) for figure in (3 * chance.paretovariate(6) for _ in range(24))] for _ in range(2)
        )
        kinds.add(run_comparison.judge(before, after, 4, limit).kind)
    assert "regression" not in kinds
    assert "improvement" not in kinds


def test_measuring_goes_on_where_rounds_differ_and_not_for_ever() -> None:
    steady = [Interval(low, high) for low, high in rounds(4.0)]
    assert run_comparison.enough(steady, 24)
    assert not run_comparison.enough(steady[:23], 23)
    ragged = [Interval(low, 4.0) for low in (1.0, 1.5, 2.0, 2.5, 3.0, 3.5) * 4]
    assert not run_comparison.enough(ragged, 24)
    assert run_comparison.enough(ragged, 96)
    assert run_comparison.enough([], 96)  # rounds that no one could read


def test_removed_tests_are_listed_in_the_order_of_the_baseline() -> None:
    many = [{**expectation(arguments={"threads": number}), "workers": f"{number} threads"} for number in range(2, 22)]
    changes = run_comparison.compare(run(test=many), run()).changes
    assert [change.kind for change in changes] == ["gone"] * 20
    assert [change.expectation for change in changes] == [f"speedup, {number} threads" for number in range(2, 22)]


@pytest.mark.parametrize(
    ("bounds", "loss", "reason"),
    [
        ([[1.2, 2.0]] * 24, 1 - 0.9 * 1.2 / 2.0, "1.20x to 2.00x"),
        ([[1.0, 20.0]] * 24, 1 - 0.9 / 20, "1.00x to 20.0x"),
        (rounds(4.0, 5), 1.0, "5 rounds, and 14 are needed"),
    ],
)
def test_what_a_run_says_too_little_of(bounds: list[list[float]], loss: float, reason: str) -> None:
    series = [{"workers": 2, "bounds": rounds(1.9)}, {"workers": 4, "bounds": bounds}]
    saved = run(sharp=expectation(4.0), other=expectation(series=series), noisy=expectation(series=series[1:]))
    found = run_comparison.imprecise_baselines(saved, allowed_loss.parse(["speedup:10%"]))
    assert [(each.nodeid, each.reason) for each in found] == [("other", reason), ("noisy", reason)]
    assert found[0].loss == pytest.approx(loss)


def test_imprecise_result_detects_the_loss_that_it_names() -> None:
    """A later run that is no sharper, and has lost as much."""
    bounds = [[1.3, 2.0]] * 24
    (found,) = run_comparison.imprecise_baselines(
        run(test=expectation(series=[{"workers": 4, "bounds": bounds}])), allowed_loss.DEFAULT
    )
    for factor, kind in ((0.99, "regression"), (1.01, "unsure")):
        left = (1 - found.loss) * factor
        later = [[low * left, high * left] for low, high in bounds]
        assert (
            run_comparison.judge([(1.3, 2.0)] * 24, [(low, high) for low, high in later], 4, allowed_loss.DEFAULT).kind
            == kind
        )
