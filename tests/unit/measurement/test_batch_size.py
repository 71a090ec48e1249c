"""Batches of a single worker that are counted as one."""

from __future__ import annotations

import pytest

from pytest_concurrency.core.model import Accounting, Reading, Sample
from pytest_concurrency.measurement.batch_size import joined


def call(start: float, seconds: float, accounting: Accounting = "seen", delay: float | None = 0.001) -> Sample:
    return Sample(1, (Reading(start, start + seconds, seconds / 4, delay, 0.0, 1, accounting),))


def test_joined_batches_have_the_sums_and_the_ends_of_each() -> None:
    (reading,) = (sample := joined([call(1.0, 0.01), call(2.0, 0.03)])).readings
    assert (sample.loops, sample.wall) == (2, pytest.approx(0.04))
    assert (reading.cpu, reading.delay, reading.switches) == (pytest.approx(0.01), pytest.approx(0.002), 2)
    assert reading.ends == pytest.approx((1.01, 1.04))


def test_joined_batches_know_no_more_than_the_least_known_one() -> None:
    (reading,) = joined([call(1.0, 0.01), call(2.0, 0.01, "unseen", None)]).readings
    assert (reading.accounting, reading.delay) == ("unseen", None)


def test_one_batch_stays_as_it_is() -> None:
    assert joined([only := call(1.0, 0.01)]) == only
