"""A scaling curve as text."""

from __future__ import annotations

from pytest_concurrency.core.outcomes import Estimate, Point
from pytest_concurrency.verdicts.curves import curve


def point(workers: int, speedup: float, serial: float) -> Point:
    return Point(
        workers,
        Estimate(speedup, speedup - 0.01, speedup + 0.01),
        speedup / workers,
        serial,
        serial - 0.1,
        serial + 0.1,
        0.0,
        0.0,
        0.0,
    )


def test_workers_that_never_help_are_said_not_to() -> None:
    shown = curve([point(2, 1.13, 0.77), point(4, 0.97, 1.04)])
    assert "More workers do not help." in shown
    assert "More than 2" not in shown


def test_the_serial_part_is_all_of_the_work_at_most() -> None:
    row = curve([point(2, 1.13, 0.77), point(4, 0.97, 1.04)]).splitlines()[2]
    assert " 100 [94, 100] " in row
