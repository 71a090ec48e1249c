"""A scaling curve as text: a line for each count of workers (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_concurrency.core.outcomes import Point
from pytest_concurrency.core.text import bar, wrap
from pytest_concurrency.core.units import duration, figure, interval, share
from pytest_concurrency.engine.scaling_laws import fit_usl, reading_of


def curve(points: Sequence[Point]) -> str:
    """Return a line for each count, with a bar for its efficiency and the time that a call took more than serially."""
    rows = [("workers", "speedup", "efficiency", "serial %", "+CPU", "+blocked")]
    for point in points:
        serial = f"{share(point.serial_part)} {interval(point.serial_part_low, point.serial_part_high, 'share')}"
        rows.append(
            (
                str(point.workers),
                figure(point.speedup.value, point.speedup.low, point.speedup.high, point.speedup.unit),
                f"{share(point.efficiency).rjust(4)} {bar(point.efficiency, 8)}",
                serial.replace("%", ""),
                _more(point.more_cpu),
                _more(point.more_blocked),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    parts = [line.rstrip() for line in lines]
    usl = fit_usl([(point.workers, point.speedup.value) for point in points])
    if usl is not None:
        parts.append(f"  contention {share(usl.contention)}, coherency {usl.coherency:.4f} (Universal Scalability Law)")
    if said := reading_of(points):
        parts.append(wrap(said, "  "))
    return "\n".join(parts)


def _more(seconds: float) -> str:
    return f"{'+' if seconds >= 0 else '-'}{duration(abs(seconds))}"
