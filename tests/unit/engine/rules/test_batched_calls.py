"""Calls that vary and are measured in batches are no evidence of a speedup, and evidence of a missing one."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_concurrency.core.model import Interval
from pytest_concurrency.engine.claims import SpeedupClaim
from pytest_concurrency.engine.rules.base import Leaning
from pytest_concurrency.engine.rules.batched_calls import batched_calls
from pytest_concurrency.engine.spread import Spread
from pytest_concurrency.engine.voting import cast

from ...make import reading, round_


def leaning(figure: float, loops: int = 5, spread: float = 0.3, **more: Any) -> Leaning:
    measured = round_(reading(wait=0.008), *[reading(wait=0.008)] * 4)
    together = measured.concurrent
    assert together is not None
    batches = type(measured)(
        1, type(together)(loops, measured.serial.readings), type(together)(loops, together.readings)
    )
    vote = cast(Interval(figure, figure), 2.7, 0.008, 0.0016, 0.11)
    return Leaning(
        SpeedupClaim(4, 3.0, 0.25), [vote], [vote], spread=Spread(spread, 9), rounds=[batches], pair=True, **more
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (leaning(3.4), True),
        (leaning(1.2), False),
        (leaning(3.4, loops=1), False),
        (leaning(3.4, spread=0.05), False),
        (leaning(3.4, one_body=False), False),
    ],
    ids=["above the cut", "below the cut", "single calls", "calls that are alike", "two functions"],
)
def test_batched_calls_hold_back_a_speedup_of_calls_that_vary(given: Leaning, expected: bool) -> None:
    assert batched_calls(given, 1) is expected
