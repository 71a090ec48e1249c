from __future__ import annotations

from dataclasses import replace

from pytest_concurrency.core.leftovers import Leftover
from pytest_concurrency.core.model import VerdictName
from pytest_concurrency.core.outcomes import Estimate, Outcome, Series
from pytest_concurrency.verdicts import pool_scaling

from ..make import FINDINGS, outcome, reading, round_

ROUNDS = [round_(reading(wait=0.6), reading(wait=0.1))]


def size(workers: int, speedup: float, verdict: VerdictName = "met", first: int = 1) -> Outcome:
    """The outcome of one comparison, as one of a pool size."""
    compared = outcome(
        marker="scaling",
        arguments={"workers": (first, workers)},
        verdict=verdict,
        estimate=Estimate(speedup, speedup * 0.9, speedup * 1.1),
        threshold=0.7 * workers / first,
        series=(Series(None, ()),),
    )
    return pool_scaling.outcome_of(compared, ROUNDS, workers, first)


def test_a_size_is_reported_as_a_pool() -> None:
    said = size(10, 5.0, "not_met")
    assert said.finding is not None
    assert said.finding.headline == (
        "a pool of 10 was 5.00x as fast (interval 4.50x to 5.50x) as a pool of 1; "
        "required: at least 7x (efficiency 70%)."
    )
    assert [spent.side for spent in said.finding.evidence] == ["a pool of 1", "a pool of 10"]
    assert said.finding.kind == "pool-scaling"
    assert (said.workers, said.backend, said.series[0].workers) == ("a pool of 10", "pool", 10)


def test_the_worst_size_stands_for_all_with_the_whole_curve() -> None:
    whole = pool_scaling.combined([size(3, 2.9), size(10, 5.0, "not_met"), size(20, 5.1, "not_met")])
    assert (whole.verdict, whole.workers) == ("not_met", "a pool of 20")
    assert [point.workers for point in whole.curve] == [3, 10, 20]
    assert "More than 10 workers do not help." in whole.reason


def test_a_curve_without_a_knee_says_nothing_of_one() -> None:
    whole = pool_scaling.combined([size(3, 1.1, "not_met"), size(10, 5.0, "not_met")])
    assert "not help" not in whole.reason


def test_what_one_size_has_left_running_is_reported_of_all() -> None:
    left = Leftover("thread", "Thread-1 (poll)", "pool.py:3 in work: thread.start()")
    whole = pool_scaling.combined([replace(size(3, 2.9), leftovers=(left,)), size(10, 9.0)])
    assert whole.leftovers == (left,)


def test_a_size_that_was_not_measured_is_no_point_of_the_curve() -> None:
    missing = replace(outcome(verdict="unmeasurable", estimate=None), finding=FINDINGS["unmeasurable"])
    assert pool_scaling.outcome_of(missing, (), 10, 1).curve == ()
