"""The model of ``-n N``: by hand where that is possible, and by its laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_concurrency.survey import xdist_model
from pytest_concurrency.survey.xdist_model import Costs, Demand, Predicted

NOTHING = Costs()
WAITS = [Demand(1.0, 0.0)] * 100
COMPUTES = [Demand(1.0, 1.0)] * 100


@pytest.mark.parametrize(
    ("tests", "workers", "cpus", "seconds"),
    [
        (WAITS, 4, 1.0, 25.0),
        (COMPUTES, 4, 1.0, 100.0),
        (COMPUTES, 2, 2.0, 50.0),
        (COMPUTES, 8, 2.0, 50.0),
        (COMPUTES, 2, 1.5, 100 / 1.5),
        ([Demand(1.0, 0.5)] * 100, 4, 4.0, 25.0),
        ([Demand(1.0, 2.0)] * 100, 2, 2.0, 100.0),  # two threads of each keep both CPUs busy
        ([Demand(50.0, 0.0), *WAITS], 4, 2.0, 50.0),
        ([*[Demand(1.0, 0.0)] * 8, Demand(10.0, 0.0)], 4, 2.0, 12.0),  # the long one begins last
    ],
)
def test_time_where_it_can_be_worked_out_by_hand(
    tests: list[Demand], workers: int, cpus: float, seconds: float
) -> None:
    assert xdist_model.with_workers(workers, tests, NOTHING, cpus) == pytest.approx(seconds)


def test_mixed_tests_are_those_of_the_machine_repairman_model() -> None:
    # Two workers, one CPU, as much waiting as computing: idle with a chance of 1/5 (weights 1, 2, 2).
    assert xdist_model.shared(2, 50.0, 50.0, 1.0) == pytest.approx(50 / 0.8)


def test_start_of_workers_competes_for_the_cpus() -> None:
    costs = Costs(boot=0.5, start=2.0)
    assert xdist_model.with_workers(8, [Demand(0.0, 0.0)], costs, 2.0) == pytest.approx(0.5 + 2.0 * 4)


times = st.floats(0, 1e4)
demands = st.lists(st.builds(lambda waits, computes: Demand(waits + computes, computes), times, times), max_size=30)
costs = st.builds(Costs, boot=times, start=times, own=times)
cpus = st.floats(0.1, 64)
workers = st.integers(1, 300)


@given(demands, workers, cpus)
def test_time_keeps_to_its_bounds(tests: list[Demand], workers: int, cpus: float) -> None:
    found = xdist_model.with_workers(workers, tests, NOTHING, cpus)
    whole = sum(test.alone for test in tests)
    least = max(whole / workers, sum(test.computing for test in tests) / cpus, *[test.alone for test in tests], 0.0)
    assert found >= least * (1 - 1e-9)
    assert found <= whole * max(1.0, 1 / cpus) * (1 + 1e-9)


@given(demands, st.integers(1, 100), cpus)
def test_more_workers_never_make_the_tests_slower(tests: list[Demand], workers: int, cpus: float) -> None:
    fewer = xdist_model.with_workers(workers, tests, NOTHING, cpus)
    assert xdist_model.with_workers(workers + 1, tests, NOTHING, cpus) <= fewer * (1 + 1e-9)


@given(demands, costs, workers, cpus)
def test_more_cpus_never_make_it_slower(tests: list[Demand], costs: Costs, workers: int, cpus: float) -> None:
    fewer = xdist_model.with_workers(workers, tests, costs, cpus)
    assert xdist_model.with_workers(workers, tests, costs, cpus + 1) <= fewer * (1 + 1e-9)


@given(demands, costs)
def test_one_process_takes_the_sum(tests: list[Demand], costs: Costs) -> None:
    whole = costs.start + costs.own + sum(test.alone for test in tests)
    assert xdist_model.alone(tests, costs) == pytest.approx(whole)


def test_best_is_the_fewest_workers_that_come_close_to_the_fastest() -> None:
    found = [Predicted(2, 50.0), Predicted(4, 41.0), Predicted(8, 40.0)]
    assert xdist_model.best_of(found, 100.0) == Predicted(4, 41.0)
    assert xdist_model.best_of(found, 42.0) is None
    assert xdist_model.best_of([], 42.0) is None


@pytest.mark.parametrize(("cpus", "counts"), [(1.0, (2, 4)), (2.0, (2, 4, 8)), (0.5, (2, 4)), (8.0, (2, 4, 8, 16, 32))])
def test_counts_that_are_worth_a_look(cpus: float, counts: tuple[int, ...]) -> None:
    assert xdist_model.worth_a_look(cpus) == counts
