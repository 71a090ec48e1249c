"""Scaling laws over a curve of measured speedups (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_concurrency.core.model import Round
from pytest_concurrency.core.outcomes import Estimate, Point
from pytest_concurrency.engine.bound_type import per_body


def karp_flatt(speedup: float, workers: int) -> float:
    """Return the serial part that a speedup amounts to: 0 is all parallel, 1 all serial, less than 0 superlinear.

    e = (1/s - 1/p) / (1 - 1/p). Karp & Flatt, *Measuring parallel processor performance*, CACM 33(5), 1990.
    Flat over the counts, it is a serial part of the work; rising, it is overhead or contention.
    """
    return (1 / speedup - 1 / workers) / (1 - 1 / workers)


@dataclass(frozen=True, slots=True)
class Usl:
    """The Universal Scalability Law's parameters: contention (queueing) and coherency (crosstalk).

    p/s - 1 = contention * (p - 1) + coherency * p * (p - 1). Gunther, *Guerrilla Capacity Planning*
    (2007), chapter 4.
    """

    contention: float
    coherency: float


def fit_usl(speedups: Sequence[tuple[int, float]]) -> Usl | None:
    """Return the least-squares fit; None with fewer than three counts above 1, or without a meaning.

    Two parameters need three points at least. The fit describes what was measured, and says nothing
    of counts beyond twice the largest of them.
    """
    points = [(workers, speedup) for workers, speedup in speedups if workers > 1 and speedup > 0]
    if len({workers for workers, _ in points}) < 3:
        return None
    xx = xz = zz = xy = zy = 0.0
    for workers, speedup in points:
        x, z, y = workers - 1.0, workers * (workers - 1.0), workers / speedup - 1.0
        xx, xz, zz, xy, zy = xx + x * x, xz + x * z, zz + z * z, xy + x * y, zy + z * y
    determinant = xx * zz - xz * xz
    if determinant <= 1e-9 * xx * zz:
        return None
    contention = (xy * zz - zy * xz) / determinant
    coherency = (zy * xx - xy * xz) / determinant
    # Neither can be negative: then the best fit has none of it.
    if coherency < 0:
        contention, coherency = xy / xx, 0.0
    elif contention < 0:
        contention, coherency = 0.0, zy / zz
    return Usl(max(0.0, contention), max(0.0, coherency))


def point_of(rounds: Sequence[Round], workers: int, speedup: Estimate, tasks: int = 1) -> Point:
    """Return one point of the curve, with what grew per body from one worker to several."""
    alone = per_body([round_.serial for round_ in rounds])
    together = per_body([round_.concurrent for round_ in rounds if round_.concurrent is not None], tasks)
    return Point(
        workers=workers,
        speedup=speedup,
        efficiency=speedup.value / workers,
        serial_part=karp_flatt(speedup.value, workers),
        serial_part_low=karp_flatt(speedup.high, workers),
        serial_part_high=karp_flatt(speedup.low, workers),
        more_cpu=together.cpu - alone.cpu,
        more_blocked=together.blocked - alone.blocked,
        more_delay=None if together.delay is None or alone.delay is None else together.delay - alone.delay,
    )


def reading_of(points: Sequence[Point]) -> str:
    """One sentence about the shape of a curve."""
    if len(points) < 2:
        return ""
    first, last = points[0], points[-1]
    if last.serial_part < 0.02:
        return "No serial part shows up to the largest count."
    if all(point.serial_part_low > 0.8 for point in points):
        return "No count helps: hardly any of the work goes on in parallel."
    if last.serial_part_low > first.serial_part_high:
        return "The serial part grows with the count: overhead or contention, not a fixed serial part."
    return "The serial part is about the same at each count: a fixed part of the work is serial."
