"""One suite under two interpreters: the ratio of times of one worker, and what of it is certain."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_concurrency.runs import allowed_loss
from pytest_concurrency.runs.interpreter_comparison import compare, time_ratio

from .test_run_comparison import expectation, run

LIMITS = allowed_loss.parse(["single:10%,speedup:10%"], (*allowed_loss.FIGURES, allowed_loss.SINGLE))


def timed(seconds: float, speedup: float = 2.0, rounds: int = 24, **more: Any) -> dict[str, Any]:
    return expectation(speedup, serial=[[seconds * 0.99, seconds * 1.01]] * rounds, backend="threads", **more)


def sessions(*seconds: float, speedup: float = 2.0, **more: Any) -> list[dict[str, Any]]:
    return [run(a=timed(time, speedup, **more)) for time in seconds]


def test_a_worker_that_is_slower_in_every_session_has_regressed() -> None:
    found = compare(sessions(0.010, 0.010), sessions(0.013, 0.0131), LIMITS)
    (row,) = found.rows
    assert row.time is not None
    assert row.time.interval is not None
    assert row.time.value == pytest.approx(1.3, abs=0.01)
    assert row.time.interval.low < 1.3 < row.time.interval.high < 1.35
    assert found.has_regressed
    assert "one worker takes 1.30x the time" in found.slower[0].text


def test_sessions_that_disagree_make_it_undecided() -> None:
    found = compare(sessions(0.010, 0.010), sessions(0.013, 0.0105), LIMITS)
    (slow,) = found.slower
    assert not slow.is_certain
    assert not found.has_regressed


def test_a_time_within_the_limit_says_nothing() -> None:
    assert compare(sessions(0.010), sessions(0.0105), LIMITS).slower == ()


def test_without_limit_of_the_time_no_time_fails() -> None:
    found = compare(sessions(0.010), sessions(0.030), allowed_loss.DEFAULT)
    assert found.slower == ()
    assert not found.has_regressed


def test_few_rounds_have_no_interval_and_fail_nothing() -> None:
    found = compare(sessions(0.010, rounds=3), sessions(0.030, rounds=3), LIMITS)
    (slow,) = found.slower
    assert not slow.is_certain
    assert "too few rounds" in slow.text


def test_limit_of_the_time_leaves_speedups_alone() -> None:
    only_time = allowed_loss.parse(["single:10%"], (allowed_loss.SINGLE,))
    before, after = sessions(0.010, speedup=4.0), sessions(0.010, speedup=2.0)
    assert not compare(before, after, only_time).has_regressed
    assert compare(before, after, LIMITS).has_regressed


def test_other_interpreters_can_be_compared_and_other_machines_cannot() -> None:
    before, after = sessions(0.010), sessions(0.010)
    threaded = {"python": "3.14.0", "gil": False, "free_threaded_build": True}
    after[0]["environment"] = {**after[0]["environment"], **threaded}
    assert compare(before, after, LIMITS).differences == ()
    after[0]["environment"] = {**after[0]["environment"], "cpus_usable": 64}
    assert compare(before, after, LIMITS).differences


def test_tests_of_one_interpreter_only() -> None:
    both = [run(a=timed(0.01), b=timed(0.01))]
    found = compare(both, sessions(0.01), LIMITS)
    assert [len(names) for names in found.only] == [1, 0]
    assert found.changes[0].kind == "same"
    assert len(found.rows) == 1


def test_points_of_a_curve_share_the_time_of_one_worker() -> None:
    points = [{"workers": count, "bounds": [[count * 0.9, count * 0.9]] * 24} for count in (1, 2, 4)]
    before, after = sessions(0.010, series=points), sessions(0.030, series=points)
    found = compare(before, after, LIMITS)
    assert [row.workers for row in found.rows] == [2, 4]
    assert [row.label.partition(", ")[2] for row in found.rows] == ["2 threads", "4 threads"]
    assert len(found.slower) == 1


@given(
    st.lists(st.floats(1e-6, 10), min_size=1, max_size=4),
    st.lists(st.floats(1e-6, 10), min_size=1, max_size=4),
)
def test_interval_contains_the_ratio_of_all_sessions(before: list[float], after: list[float]) -> None:
    found = time_ratio([[(time, time)] * 24 for time in before], [[(time, time)] * 24 for time in after])
    assert found is not None
    assert found.interval is not None
    assert found.interval.low <= found.value * 1.000001
    assert found.value <= found.interval.high * 1.000001
    for then in before:
        for now in after:
            assert found.interval.low <= now / then <= found.interval.high


def test_a_time_is_limited_as_a_part_only() -> None:
    with pytest.raises(ValueError, match="write single:10%"):
        allowed_loss.parse(["single:0.1"], (allowed_loss.SINGLE,))
    with pytest.raises(ValueError, match="is not a limit"):
        allowed_loss.parse(["single:10%"])
