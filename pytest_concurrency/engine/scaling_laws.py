"""Scaling laws over a curve of measured speedups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_concurrency.core.model import Round
from pytest_concurrency.core.outcomes import Estimate, Point
from pytest_concurrency.engine.bound_type import per_body

_HELPS = 1.1  # times as fast that a larger count must be, to be of help


def karp_flatt(speedup: float, workers: float) -> float:
    """Return the serial part that a speedup amounts to: 0 is all parallel, 1 all serial, less than 0 superlinear.

    e = (1/s - 1/p) / (1 - 1/p). Karp & Flatt, *Measuring parallel processor performance*, CACM 33(5), 1990.
    Flat over the counts, it is a serial part of the work; rising, it is overhead or contention.
    """
    return (1 / speedup - 1 / workers) / (1 - 1 / workers)


@dataclass(frozen=True, slots=True)
class Usl:
    """The Universal Scalability Law's parameters: contention (queueing) and coherency (crosstalk).

    p/s - 1 = contention * (p - 1) + coherency * p * (p - 1). Gunther, *Guerrilla Capacity Planning*
    (2007), chapter 4. Where speedups are over more than one worker, p is a multiple of these: the law keeps its form.
    """

    contention: float
    coherency: float

    @property
    def peak(self) -> float:
        """The count with the largest throughput; infinite without coherency."""
        return math.sqrt(max(0.0, 1 - self.contention) / self.coherency) if self.coherency > 0 else math.inf

    def speedup(self, count: float) -> float:
        """What the law expects of a count."""
        return count / (1 + self.contention * (count - 1) + self.coherency * count * (count - 1))


def fit_usl(speedups: Sequence[tuple[float, float]]) -> Usl | None:
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


def point_of(rounds: Sequence[Round], workers: int, speedup: Estimate, tasks: int = 1, base: int = 1) -> Point:
    """Return one point of the curve, with what grew per body from ``base`` workers to more."""
    ratio = workers / base
    alone = per_body([round_.serial for round_ in rounds])
    together = per_body([round_.concurrent for round_ in rounds if round_.concurrent is not None], tasks)
    return Point(
        workers=workers,
        speedup=speedup,
        efficiency=speedup.value / ratio,
        serial_part=karp_flatt(speedup.value, ratio),
        serial_part_low=karp_flatt(speedup.high, ratio),
        serial_part_high=karp_flatt(speedup.low, ratio),
        more_cpu=together.cpu - alone.cpu,
        more_blocked=together.blocked - alone.blocked,
        more_delay=None if together.delay is None or alone.delay is None else together.delay - alone.delay,
        base=base,
    )


def best_of(points: Sequence[Point]) -> int:
    """Return the count with the largest speedup; the smallest of those that have the same."""
    return max(_reached(points), key=lambda each: (each[1], -each[0]))[0]


def knee_of(points: Sequence[Point]) -> int:
    """Return the smallest count beyond which no other is more than a tenth faster; the largest if each step helps."""
    reached = _reached(points)
    top = max(speedup for _, speedup in reached)
    return next(workers for workers, speedup in reached if speedup * _HELPS >= top)


def _reached(points: Sequence[Point]) -> list[tuple[int, float]]:
    """Return each count with its speedup, that of the base too."""
    return [(points[0].base, 1.0), *((point.workers, point.speedup.value) for point in points)]


def peak_of(points: Sequence[Point]) -> float | None:
    """Return the count at which the Universal Scalability Law has its largest throughput, if the points identify it.

    They do if the law describes them, and if every fit has a peak within twice the largest count where one point lies
    at either end of its interval.
    """
    speedups = [point.speedup for point in points]
    fits = [fit_usl([(point.ratio, point.speedup.value) for point in points])]
    for place in range(len(points)):
        for end in (speedups[place].low, speedups[place].high):
            moved = [*(each.value for each in speedups[:place]), end, *(each.value for each in speedups[place + 1 :])]
            fits.append(fit_usl([(point.ratio, value) for point, value in zip(points, moved, strict=True)]))
    farthest = 2 * max(point.ratio for point in points)
    if fits[0] is None or not _describes(fits[0], points) or any(fit is None or fit.peak > farthest for fit in fits):
        return None
    return fits[0].peak * points[0].base


def _describes(usl: Usl, points: Sequence[Point]) -> bool:
    """Whether the law is near each point: the throughput of a pool that is limited to ten has a corner, not a peak."""
    return all(
        point.speedup.low / _HELPS <= usl.speedup(point.ratio) <= point.speedup.high * _HELPS for point in points
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
