"""Interference: CPU time that goes to other programs, to the hypervisor (steal time) or to a CPU quota.

The counters tick every 10 ms on most systems, so they are read over a window, not over a batch.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_concurrency.core.model import Interference
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.cpus import cgroup_folders

_WINDOW = 0.1  # seconds that a reading covers at least


def unavailable() -> str | None:
    """Return why foreign load cannot be read here, or None if it can."""
    try:
        import psutil
    except ImportError:
        return "foreign load needs psutil, which cannot be imported"
    try:
        psutil.cpu_times()
    except Exception as error:  # /proc hidden, no permission
        return f"foreign load cannot be read: {error}"
    return None


@dataclass(frozen=True, slots=True)
class _Counters:
    wall: float
    busy: float
    own: float
    steal: float
    throttled: float | None
    cpus: int


class InterferenceMeter:
    """Measures interference; the CPU time of worker processes has to be reported to :meth:`add_own`."""

    def __init__(self) -> None:
        self._readable = unavailable() is None
        self._workers = 0.0
        self._first = self._base = self._count() if self._readable else None
        self._last = Interference()

    def add_own(self, seconds: float) -> None:
        """Add CPU time, in seconds, of workers that are neither this process nor its ended children."""
        self._workers += seconds

    def read(self) -> Interference:
        """Interference over the last window, which is at least 0.1 s long."""
        if self._base is not None and CLOCKS.wall() - self._base.wall >= _WINDOW and (now := self._count()) is not None:
            self._last = _between(self._base, now)
            self._base = now
        return self._last

    def overall(self) -> Interference:
        """Interference since the meter was made."""
        now = None if self._first is None else self._count()
        return Interference() if self._first is None or now is None else _between(self._first, now)

    def _count(self) -> _Counters | None:
        """Return the counters, or None if they cannot be read now, such as when no file can be opened."""
        import psutil

        try:
            times, cpus = _usable_times()
        except (OSError, psutil.Error):
            return None
        idle = times.idle + getattr(times, "iowait", 0.0)
        guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        return _Counters(
            wall=CLOCKS.wall(),
            busy=sum(times) - idle - guests - getattr(times, "steal", 0.0),
            own=CLOCKS.process_cpu() + CLOCKS.children_cpu() + self._workers,
            steal=getattr(times, "steal", 0.0),
            throttled=_throttled(),
            cpus=cpus,
        )


def _usable_times() -> tuple[Any, int]:
    """Return the summed times of the CPUs that this process may use, and their number; other CPUs do not matter."""
    import psutil

    machine = psutil.cpu_count() or 1
    if not hasattr(os, "sched_getaffinity") or len(usable := os.sched_getaffinity(0)) >= machine:
        return psutil.cpu_times(), machine
    each = [times for number, times in enumerate(psutil.cpu_times(percpu=True)) if number in usable]
    if len(each) < len(usable):  # a CPU is offline, so its number is not its position
        return psutil.cpu_times(), machine
    return type(each[0])(*(sum(values) for values in zip(*each, strict=True))), len(each)


def _between(before: _Counters, after: _Counters) -> Interference:
    wall = max(after.wall - before.wall, 1e-6)
    throttled = None
    if before.throttled is not None and after.throttled is not None:
        throttled = max(0.0, after.throttled - before.throttled) / wall
    return Interference(
        foreign=max(0.0, after.busy - before.busy - (after.own - before.own)) / wall,
        steal=max(0.0, after.steal - before.steal) / wall,
        throttled=throttled,
        cpus=after.cpus,
    )


@functools.cache
def _throttle_files() -> tuple[Path, ...]:
    files = (folder / "cpu.stat" for folder in cgroup_folders())
    return tuple(file for file in files if file.exists())


def _throttled() -> float | None:
    """Seconds for which a CPU quota has stopped this control group or one of its parents; None if unknown."""
    seconds = [_throttled_by(file) for file in _throttle_files()]
    known = [each for each in seconds if each is not None]
    return sum(known) if known else None


def _throttled_by(file: Path) -> float | None:
    try:
        lines = dict(line.split(maxsplit=1) for line in file.read_text().splitlines() if " " in line)
    except OSError:
        return None
    if "throttled_usec" in lines:
        return int(lines["throttled_usec"]) * 1e-6
    return int(lines["throttled_time"]) * 1e-9 if "throttled_time" in lines else None
