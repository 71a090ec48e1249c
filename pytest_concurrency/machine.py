"""What this machine and interpreter are: CPUs that may really be used, GIL, versions."""

from __future__ import annotations

import functools
import math
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def usable_cpus() -> float:
    """Return how many CPUs this process may keep busy: affinity, then the control group's quota.

    May be a fraction: a quota of 150 ms per 100 ms is 1.5 CPUs. ``PYTHON_CPU_COUNT`` (3.13) is honoured.
    """
    allowed = float(_allowed_cpus())
    quota = cpu_quota()
    return max(0.01, min(allowed, quota)) if quota is not None else allowed


def _allowed_cpus() -> int:
    process_cpu_count = getattr(os, "process_cpu_count", None)
    if process_cpu_count is not None:
        return process_cpu_count() or 1
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def auto_workers() -> int:
    """Return the worker count that ``"auto"`` stands for: usable CPUs, rounded up, at least 1."""
    return max(1, round(usable_cpus() + 0.49))


def cpu_quota() -> float | None:
    """Return the CPU quota of this control group or the tightest of its parents, or None."""
    folder = cgroup_folder()
    quotas = []
    while folder is not None and folder != folder.parent:
        if (quota := _quota_of(folder)) is not None:
            quotas.append(quota)
        if not (folder.parent / "cpu.stat").exists():
            break
        folder = folder.parent
    return min(quotas, default=None)


def _quota_of(folder: Path) -> float | None:
    try:
        if (folder / "cpu.max").exists():  # version 2
            quota, period = (folder / "cpu.max").read_text().split()
            return None if quota == "max" else int(quota) / int(period)
        quota = (folder / "cpu.cfs_quota_us").read_text()  # version 1
        period = (folder / "cpu.cfs_period_us").read_text()
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError):
        return None


@functools.cache
def cgroup_folder() -> Path | None:
    """Return the folder that holds this process's CPU controller, found through /proc, or None."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return None
    unified: str | None = None
    cpu: str | None = None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            unified = path
        elif "cpu" in controllers.split(","):
            cpu = path
    for line in mounts:
        fields, _, filesystem = line.partition(" - ")
        kind, _, options = filesystem.split(" ", 2)
        root, mount = fields.split(" ")[3:5]
        group = cpu if kind == "cgroup" and "cpu" in options.replace(" ", ",").split(",") else None
        if kind == "cgroup2" and cpu is None:
            group = unified
        if group is None:
            continue
        below = os.path.relpath(group, root) if group.startswith(root) else "."
        folder = Path(mount, below).resolve()
        if folder.is_dir():
            return folder
    return None


def gil_enabled() -> bool:
    """Return whether this interpreter has a GIL that is switched on at this moment."""
    check = getattr(sys, "_is_gil_enabled", None)
    return True if check is None else bool(check())


def environment(missing_readings: Sequence[str] = ()) -> dict[str, Any]:
    """Return what a report says of the machine; plain JSON types."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "gil": gil_enabled(),
        "free_threaded_build": "free-threading" in sys.version,
        "system": platform.system(),
        "machine": platform.machine(),
        "cpus_usable": round(usable_cpus(), 2),
        "cpus_logical": os.cpu_count(),
        "cpu_quota": cpu_quota(),
        "switch_interval": sys.getswitchinterval(),
        "missing_readings": list(missing_readings),
    }


def describe() -> str:
    """One line for the head of a report: ``2 usable CPUs, CPython 3.11.7 with the GIL``."""
    return describe_environment(environment())


def describe_environment(facts: Mapping[str, Any]) -> str:
    """The same of a recorded environment."""
    cpus = facts["cpus_usable"]
    gil = "with the GIL" if facts["gil"] else "without a GIL"
    quota = " (a quota)" if (facts.get("cpu_quota") or math.inf) < cpus + 0.01 else ""
    noun = "CPU" if cpus == 1 else "CPUs"
    return f"{cpus:g} usable {noun}{quota}, {facts['implementation']} {facts['python']} {gil}, {facts['system']}"
