"""What rounds add up to."""

from __future__ import annotations

import pytest

from pytest_concurrency.core.model import Interval
from pytest_concurrency.engine.statistic import NEVER, RATIO, SHARE, Observed, won
from pytest_concurrency.engine.voting import Vote, VoteCount, cast

from ..make import reading, round_

SHORT = round_(reading(wait=0.001))


def seen(number: int, seconds: float = 0.0, **more: object) -> Observed:
    return Observed([SHORT] * number, [SHORT] * number, seconds, **more)  # type: ignore[arg-type]


def votes(*figures: float) -> list[Vote]:
    return [cast(Interval(figure, figure), 0.056, 0.02) for figure in figures]


def test_a_ratio_of_a_body_with_itself_is_never_early() -> None:
    assert not RATIO.early(seen(1))
    assert RATIO.early(seen(1, compared=True))


def test_a_share_is_early_for_some_rounds_or_some_time() -> None:
    assert SHARE.early(seen(31))
    assert not SHARE.early(seen(32))
    assert not SHARE.early(seen(2, seconds=0.2))


def test_a_suspicion_takes_more_rounds() -> None:
    assert not NEVER.early(seen(100))
    assert NEVER.early(seen(200, suspected=1))
    assert not NEVER.early(seen(240, suspected=1))


@pytest.mark.parametrize(("statistic", "side"), [(RATIO, 0), (SHARE, 0), (NEVER, 1)])
def test_single_sightings_win_only_where_nothing_is_allowed(statistic: object, side: int) -> None:
    counted = votes(*[0.15, *[0.006] * 4] * 8)
    count = VoteCount()
    for vote in counted:
        count = count.add(vote)
    assert won(statistic, count, counted, 1, {1: 13.7, -1: 300.0}) == side  # type: ignore[arg-type]


def test_a_figure_of_what_never_happens_is_of_the_rounds_that_agree() -> None:
    counted = votes(0.15, 0.006, 0.15)
    assert len(NEVER.telling(counted, 1)) == 2
    assert len(RATIO.telling(counted, 1)) == 3
