from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_concurrency.core import stats
from pytest_concurrency.core.model import Interval
from pytest_concurrency.engine import constants
from pytest_concurrency.engine.spread import Spread, grouped, spread_of, weighed
from pytest_concurrency.engine.voting import Vote, VoteCount, cast

from .exact import confirmed, walk

# The probabilities of a wrong vote that the weights assume, for short and for long batches.
ERRORS = (0.25, 0.10, 0.05, 0.03, 0.01, 0.001)
PROMISE = 1e-4


@pytest.mark.parametrize("error", ERRORS)
def test_a_quick_conclusion_is_wrong_less_often_than_promised(error: float) -> None:
    right, wrong = walk([(1.0, stats.log_odds(error), error)], constants.ENOUGH, constants.ENOUGH)
    assert right + wrong == pytest.approx(1.0)
    assert wrong < PROMISE


@pytest.mark.parametrize("error", ERRORS)
def test_a_careful_conclusion_is_wrong_less_often_still(error: float) -> None:
    votes = [(1.0, stats.log_odds(error), error)]
    first = walk(votes, constants.ENOUGH, constants.ENOUGH + constants.MORE)[1]
    again = walk(votes, constants.CONFIRM, constants.CONFIRM)[1]
    assert confirmed(first, again) < PROMISE / 1000


def test_votes_of_every_distance_together() -> None:
    votes = [(0.25, stats.log_odds(error), error) for error in ERRORS[:4]]
    assert walk(votes, constants.ENOUGH, constants.ENOUGH)[1] < PROMISE


def test_votes_may_be_wrong_more_often_than_assumed() -> None:
    """Twice the assumed errors still keep the promise for a failure, which is confirmed."""
    votes = [(0.25, stats.log_odds(error), 2 * error) for error in ERRORS[1:5]]
    first = walk(votes, constants.ENOUGH, constants.ENOUGH + constants.MORE)[1]
    again = walk(votes, constants.CONFIRM, constants.CONFIRM)[1]
    assert confirmed(first, again) < PROMISE


@pytest.mark.parametrize("batch", [0.008, 0.3, 2.0])
@given(low=st.floats(0.1, 10.0), width=st.floats(1.0, 3.0), cut=st.floats(0.2, 5.0))
def test_a_round_votes_only_if_its_bounds_leave_out_the_cut(batch: float, low: float, width: float, cut: float) -> None:
    vote = cast(Interval(low, low * width), cut, batch)
    if low > cut:
        assert vote.direction == 1
    elif low * width < cut:
        assert vote.direction == -1
    else:
        assert (vote.direction, vote.weight) == (0, 0.0)
    assert vote.direction == 0 or vote.weight > 0
    assert vote.figure == pytest.approx(low * width**0.5)


@given(st.floats(1.0001, 50.0), st.floats(1.0, 2.0))
def test_a_vote_farther_off_weighs_no_less(distance: float, more: float) -> None:
    near, far = (cast(Interval(d, d), 1.0, 0.008).weight for d in (distance, distance * more))
    assert near <= far


@given(st.floats(1.0001, 50.0), st.floats(0.001, 10.0))
def test_no_single_round_decides(distance: float, batch: float) -> None:
    assert cast(Interval(distance, distance), 1.0, batch).weight < constants.ENOUGH


def test_only_far_votes_of_long_batches_weigh_more() -> None:
    weights = {
        (distance, batch): cast(Interval(distance, distance), 1.0, batch).weight
        for distance in (1.1, 1.5)
        for batch in (0.008, 0.5)
    }
    assert weights[1.5, 0.5] > weights[1.5, 0.008]
    assert weights[1.1, 0.5] == weights[1.1, 0.008]


def test_an_unreadable_round_has_no_figure() -> None:
    assert cast(None, 1.0, 0.008) == Vote(0)


@given(st.lists(st.tuples(st.sampled_from([-1, 0, 1]), st.floats(0.5, 3.0)), max_size=40))
def test_a_tally_counts_every_vote(votes: list[tuple[int, float]]) -> None:
    count = VoteCount()
    for direction, weight in votes:
        count = count.add(Vote(direction, weight))
    assert count.rounds == len(votes)
    assert count.lead == pytest.approx(sum(direction * weight for direction, weight in votes))
    assert count.above == sum(direction > 0 for direction, _ in votes)


@pytest.mark.parametrize(("lead", "side"), [(11.9, 0), (12.0, 1), (-15.9, 0), (-16.0, -1)])
def test_each_side_has_its_own_bound(lead: float, side: int) -> None:
    assert VoteCount(lead=lead).decided(enough_above=12.0, enough_below=16.0) == side


def votes(*rounds: tuple[float, float]) -> list[Vote]:
    """Of a serial body's seconds and a speedup, against a cut at 2."""
    return [cast(Interval(figure, figure), 2.0, alone, alone, 0.11) for alone, figure in rounds]


def test_a_body_that_is_always_the_same_does_not_spread() -> None:
    assert spread_of(votes((0.01, 4.0), (0.01, 1.0), (0.01, 4.0))).seen == 0, "that was not the body"
    assert spread_of(votes((0.01, 4.0), (0.015, 4.0), (0.02, 4.0))).seen == 0, "slow in both arms"
    assert spread_of([Vote(1, 3.0), Vote(-1, 3.0)]) == Spread()


def test_few_rounds_are_no_proof_of_little_spread() -> None:
    bounds = [Spread(0.1, rounds).at_most for rounds in range(2, 40)]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[1] == pytest.approx(1.0, rel=0.01)
    assert bounds[-1] == pytest.approx(0.12, rel=0.05)


def test_a_body_of_random_length_votes_in_groups_by_the_sums_of_its_times() -> None:
    cast_alone = votes((0.001, 0.4), (0.019, 7.6)) * 8  # together always 0.01 s, four times 0.005 s
    spread = spread_of(cast_alone)
    assert spread.group > 1
    figures = [vote.figure for vote in grouped(cast_alone, Spread(0.4, 16))]
    assert figures == [pytest.approx(4.0)] * 8
    assert all(vote.direction == 1 for vote in grouped(cast_alone, Spread(0.4, 16)))


@given(st.lists(st.tuples(st.floats(0.001, 0.1), st.floats(0.5, 8.0)), min_size=2, max_size=30))
def test_spread_never_adds_weight(rounds: list[tuple[float, float]]) -> None:
    cast_alone = votes(*rounds)
    spread = spread_of(cast_alone)
    left = weighed(cast_alone, spread)
    if spread.group == 1:
        assert sum(vote.weight for vote in left) <= sum(vote.weight for vote in cast_alone) + 1e-9
    assert all(vote.weight >= 0 for vote in left)
    assert len(left) <= len(cast_alone)
