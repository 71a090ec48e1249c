"""Sessions of two revisions, taken in turns."""

from __future__ import annotations

from typing import Any

from pytest_concurrency.runs import allowed_loss
from pytest_concurrency.runs.pooling import compare_sessions, pooled

from .test_run_comparison import expectation, run

TEN = allowed_loss.parse(["speedup:10%"])


def sessions(*figures: float, **more: Any) -> list[dict[str, Any]]:
    return [run(a=expectation(figure, **more)) for figure in figures]


def kind_of(base: list[dict[str, Any]], head: list[dict[str, Any]]) -> str:
    (change,) = compare_sessions(base, head, TEN).changes
    return change.kind


def test_a_change_that_all_sessions_show_is_certain() -> None:
    assert kind_of(sessions(4.0, 4.1), sessions(3.0, 3.1)) == "regression"
    assert kind_of(sessions(3.0, 3.1), sessions(4.0, 4.1)) == "improvement"
    assert kind_of(sessions(4.0, 4.1), sessions(4.0, 3.95)) == "same"


def test_a_bad_moment_of_the_machine_is_none() -> None:
    (change,) = compare_sessions(sessions(4.0, 4.1), sessions(3.0, 3.8), TEN).changes
    assert not change.is_regression
    # Pooled alone, these rounds lie below those for sure.
    (change,) = compare_sessions(sessions(*[4.0] * 5), sessions(*[2.0] * 4, 3.8), TEN).changes
    assert (change.kind, change.reason) == ("unsure", "the sessions do not agree")


def test_few_rounds_of_each_session_add_up() -> None:
    def few(figure: float) -> list[dict[str, Any]]:
        return sessions(figure, figure, series=[{"workers": 4, "bounds": [[figure, figure]] * 8}])

    assert kind_of(few(4.0), few(2.0)) == "regression"


def test_a_verdict_that_not_all_sessions_share_is_undecided() -> None:
    runs = sessions(4.0, verdict="met") + sessions(4.0, verdict="not_met")
    (record,) = pooled(runs)["records"]
    assert record["expectations"][0]["verdict"] == "undecided"
    assert len(record["expectations"][0]["series"][0]["bounds"]) == 48


def test_a_test_that_only_one_session_has() -> None:
    (change,) = compare_sessions([run(a=expectation(4.0)), run()], [run(), run()], TEN).changes
    assert change.kind == "gone"
