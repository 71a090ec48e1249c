"""Bars that show what the time of one call went into, for each side of a measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pytest_concurrency.core.units import ONE, duration


class ArmBar(NamedTuple):
    """One side of a measurement: what the time of one call went into. Widths are percentages."""

    name: str
    cpu: float
    waiting: float
    delay: float
    cpu_text: str
    waiting_text: str
    delay_text: str
    every: str  # time per finished call: with two workers, half of a call's time
    note: str


class _Part(NamedTuple):
    name: str
    cpu: float
    waiting: float
    delay: float | None
    every: float
    note: str


def arms_of(arms: Sequence[Mapping[str, Any]]) -> tuple[ArmBar, ...]:
    """Return a bar for each side of a record's measurements, all on one scale."""
    parts = [part for arm in _distinct(arms) if (part := _part(arm, arms)) is not None]
    longest = max((part.cpu + part.waiting + (part.delay or 0.0) for part in parts), default=0.0)
    if longest <= 0:
        return ()
    return tuple(
        ArmBar(
            name=part.name,
            cpu=round(100 * part.cpu / longest, 2),
            waiting=round(100 * part.waiting / longest, 2),
            delay=round(100 * (part.delay or 0.0) / longest, 2),
            cpu_text=duration(part.cpu),
            waiting_text=duration(part.waiting),
            delay_text="not readable" if part.delay is None else duration(part.delay),
            every=duration(part.every),
            note=part.note,
        )
        for part in parts
    )


def _distinct(arms: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return one arm for each back-end and number of workers, which is the one with the most rounds.

    Otherwise, a bar would appear twice: each of several markers measures one worker.
    """
    best: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for place, arm in enumerate(arms):
        # The two sides of compare() are different functions, so both are kept.
        key = (arm["backend"], arm["workers"], place if arm["backend"] == "compare" else 0)
        if key not in best or len(arm["wall"]) > len(best[key]["wall"]):
            best[key] = arm
    return sorted(best.values(), key=lambda arm: arm["workers"]) if len(best) > 1 else list(best.values())


def _part(arm: Mapping[str, Any], all_arms: Sequence[Mapping[str, Any]]) -> _Part | None:
    body, workers, backend = arm.get("body"), arm["workers"], arm["backend"]
    if not body or not workers:
        return None
    name = f"{workers} {ONE.get(backend, backend) if workers == 1 else backend}"
    if backend == "compare":
        before = [other for other in all_arms if other["backend"] == "compare"]
        name = "second version" if [other is arm for other in before].index(True) % 2 else "first version"
    every = body["wall"] / workers
    return _Part(name, body["cpu"], body["blocked"], body["delay"], every, arm.get("note", ""))
