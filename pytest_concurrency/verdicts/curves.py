"""A scaling curve as text: a line for each count of workers."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_concurrency.core.outcomes import Point
from pytest_concurrency.core.text import bar, wrap
from pytest_concurrency.core.units import count, duration, figure, interval, share
from pytest_concurrency.engine.scaling_laws import fit_usl, knee_of, peak_of, reading_of

_HELPS = 1.2  # a smaller speedup is no help worth naming


def curve(points: Sequence[Point]) -> str:
    """Return a line for each count, with a bar for its efficiency and the time that a call took more than serially."""
    rows = [("workers", "speedup", "efficiency", "serial %", "+CPU", "+blocked")]
    for point in points:
        # Workers that are slower than one have a serial part above 1, which would read as a mistake.
        part, low, high = (
            min(1.0, each) for each in (point.serial_part, point.serial_part_low, point.serial_part_high)
        )
        serial = f"{share(part)} {interval(low, high, 'share')}"
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
    usl = fit_usl([(point.ratio, point.speedup.value) for point in points])
    if usl is not None:
        parts.append(f"  contention {share(usl.contention)}, coherency {usl.coherency:.4f} (Universal Scalability Law)")
    for said in (reading_of(points), knee(points)):
        if said:
            parts.append(wrap(said, "  "))
    return "\n".join(parts)


def knee(points: Sequence[Point]) -> str:
    """Say from which count on more workers do not help; nothing if each step helps, or there is one count only."""
    if len(points) < 2 or (workers := knee_of(points)) == points[-1].workers:
        return ""
    if max(point.speedup.value for point in points) < _HELPS:
        return "More workers do not help."
    said = f"More than {count(workers, 'worker')} {'does' if workers == 1 else 'do'} not help."
    peak = peak_of(points)
    if peak is None:
        return said
    return f"{said} By the Universal Scalability Law, throughput is largest with about {peak:.0f}."


def _more(seconds: float) -> str:
    return f"{'+' if seconds >= 0 else '-'}{duration(abs(seconds))}"
