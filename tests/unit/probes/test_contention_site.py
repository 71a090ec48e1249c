"""In which line company costs time, from how long workers were where."""

from __future__ import annotations

import time

import pytest

from pytest_concurrency.core.model import Reading, Sample
from pytest_concurrency.machine.stack_locations import Place
from pytest_concurrency.probes.contention_site import locate, most_lost

LOCK: Place = ("/home/me/shop.py", 3, "fetch")
CALL: Place = ("/home/me/shop.py", 4, "fetch")
PARSE: Place = ("/home/me/shop.py", 5, "fetch")


@pytest.mark.parametrize(
    ("lost", "line"),
    [
        ({LOCK: 0.9, CALL: 0.01}, 3),
        ({LOCK: 0.2, CALL: -0.3}, 3),
        ({LOCK: 0.2, CALL: 0.15, PARSE: 0.18}, None),  # no line in particular
        ({LOCK: 0.05}, None),  # hardly anything
        ({}, None),
    ],
)
def test_one_line_must_have_cost_most_of_what_was_lost(lost: dict[Place, float], line: int | None) -> None:
    assert most_lost(lost, of=1.0) == (None if line is None else f"/home/me/shop.py:{line} in fetch")


def test_what_workers_do_before_the_batch_does_not_count() -> None:
    """They run ``setup=``, which may take longer together, too."""
    here: list[Place] = []

    def run(workers: int) -> Sample:
        here[:] = [CALL]
        time.sleep(0.05 * workers)
        start = time.perf_counter()
        here[:] = [LOCK]
        time.sleep(0.01 * workers)
        return Sample(1, tuple(Reading(start, time.perf_counter(), 0.0, 0.0) for _ in range(workers)))

    assert locate(run, lambda workers: [here] * workers, 3) == "/home/me/shop.py:3 in fetch"
