"""A serial run that does the bodies of several workers, as the engine sees it."""

from __future__ import annotations

from pytest_concurrency.core.model import Reading, Sample
from pytest_concurrency.measurement.worker_indices import depends_on_index, mean_body


def test_mean_body_is_one_of_as_many_as_were_done_in_turn() -> None:
    reading = Reading(10.0, 18.0, 2.0, delay=1.0, late=0.5, switches=9, by_index=True, each=(5.0, 1.0, 1.0, 1.0))
    (mean,) = mean_body(Sample(3, (reading,))).readings
    assert (mean.start, mean.wall, mean.cpu, mean.delay, mean.late, mean.switches) == (10.0, 2.0, 0.5, 0.25, 0.5, 2)
    assert mean.each == reading.each


def test_mean_body_leaves_unread_figures_unread() -> None:
    (mean,) = mean_body(Sample(1, (Reading(0.0, 2.0, 1.0, each=(1.0, 1.0)),))).readings
    assert (mean.delay, mean.switches) == (None, None)


def test_mean_body_of_own_bodies_is_the_same_sample() -> None:
    sample = Sample(2, (Reading(0.0, 1.0, 0.5), Reading(0.0, 1.5, 0.5, by_index=True)))
    assert mean_body(sample) == sample


def test_one_worker_that_asked_for_its_index_is_enough() -> None:
    plain, asked = Reading(0.0, 1.0, 0.5), Reading(0.0, 1.0, 0.5, by_index=True)
    assert depends_on_index(Sample(1, (plain, asked)))
    assert not depends_on_index(Sample(1, (plain, plain)))
