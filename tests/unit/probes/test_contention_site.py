"""In which line company costs time, from how long workers were where."""

from __future__ import annotations

import pytest

from pytest_concurrency.machine.stack_locations import Place
from pytest_concurrency.probes.contention_site import most_lost

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
