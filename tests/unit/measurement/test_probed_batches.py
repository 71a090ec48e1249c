"""Probed batches beside bystanders, with scripted readings."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_concurrency.core.model import BlockProbe, Interval, Sample
from pytest_concurrency.measurement.probed_batches import beside_loop_heartbeat, place_of_hold

from ..make import reading


class Scripted:
    """A bystander that was active for some seconds in the batch."""

    def __init__(self, seconds: float) -> None:
        self._readings = iter([{7: 0.0}, {7: seconds}])

    def used_and_active(self) -> tuple[dict[int, float], dict[int, float]]:
        return {}, self.active()

    def active(self) -> dict[int, float]:
        return next(self._readings)

    def ask(self, *_: object) -> str:
        return "theirs"

    def computed(self, _: object) -> float:
        return 0.0


@pytest.mark.parametrize(
    ("besides_gil", "active", "least"),
    [(0.0, 0.03, 0.02), (0.0, 0.5, 0.0), (0.04, 0.5, 0.04), (0.04, 0.005, 0.045)],
    ids=["a part", "all", "not for the GIL", "hardly active"],
)
def test_what_bystanders_may_have_held_is_no_block(besides_gil: float, active: float, least: float) -> None:
    probe = BlockProbe(Interval(0.05, 0.06), besides_gil=besides_gil, least_beside_others=0.05)
    bystanders: Any = Scripted(active)
    _, found = beside_loop_heartbeat(lambda: Sample(1, (reading(0.0, 0.06),)), lambda: probe, bystanders)
    assert found is not None
    assert found.longest.low == pytest.approx(least)
    assert found.least_beside_others == pytest.approx(least)
    assert found.longest.high == 0.06


@pytest.mark.parametrize(("seconds", "most", "calls"), [(1e-5, 20, 20), (0.25, 20, 8), (0.9, 20, 2), (5.0, 20, 1)])
def test_looking_for_the_place_of_a_hold_takes_two_seconds_or_one_call(seconds: float, most: int, calls: int) -> None:
    made: list[int] = []

    def run(number: int) -> Sample:
        made.append(number)
        return Sample(number, (reading(0.0, 0.0),))

    place_of_hold(run, None, most, seconds)
    assert made == [calls]
