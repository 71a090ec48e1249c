"""Facts about this machine and interpreter: usable CPUs (affinity, control-group quota), GIL, versions."""

from __future__ import annotations

import functools
import importlib.machinery
import math
import os
import platform
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_concurrency.machine import topology


def usable_cpus() -> float:
    """Return how many CPUs this process may keep busy: affinity, then the control group's quota.

    May be a fraction: a quota of 150 ms per 100 ms is 1.5 CPUs. ``PYTHON_CPU_COUNT`` and ``-X cpu_count`` (3.13) can
    lower the number, but not raise it: these settings provide no CPU.
    """
    allowed = float(_allowed_cpus())
    quota = cpu_quota()
    return max(0.01, min(allowed, quota)) if quota is not None else allowed


def pinned_to(threads: Collection[int]) -> int | None:
    """Return on how many CPUs these threads may run, if these are fewer than this process has; None if not.

    A library may pin the process that imports it: then workers that seem to have a CPU each share one.

    :param threads: native ids of threads of this host, in any process.
    """
    here, found = topology.allowed(), set[int]()
    if here is None or not threads:
        return None
    for thread in threads:
        try:
            found |= os.sched_getaffinity(thread)
        except OSError:  # it has ended
            return None
    return len(found) if len(found) < len(here) else None


def _allowed_cpus() -> int:
    count = _affinity()
    told = _told()
    return count if told is None else min(count, told)


def _affinity() -> int:
    allowed = topology.allowed()
    return len(allowed) if allowed is not None else os.cpu_count() or 1


def _told() -> int | None:
    """Return the count that PYTHON_CPU_COUNT or -X cpu_count give, or None."""
    said = getattr(os, "process_cpu_count", None)
    count = said() if said is not None else None
    return None if count is None or count == _affinity() else count


def cpu_limits() -> list[tuple[str, str]]:
    """Return the limits behind :func:`usable_cpus`, and the number of cores, as pairs of a name and a value."""
    found = [("logical", str(os.cpu_count() or "unknown"))]
    if (allowed := topology.allowed()) is not None:
        found.append(("affinity", str(len(allowed))))
    asked = os.environ.get("PYTHON_CPU_COUNT") or dict(sys._xoptions).get("cpu_count")
    if asked and hasattr(os, "process_cpu_count"):
        found.append(("asked for", str(asked)))
    quota = cpu_quota()
    found.append(("quota", "none" if quota is None else f"{quota:g}"))
    cores = topology.cores()
    if cores is not None:
        shared = _allowed_cpus() > cores
        found.append(("cores", f"{cores}, shared by {_allowed_cpus()} CPUs" if shared else str(cores)))
    return found


def auto_workers() -> int:
    """Return the worker count that ``"auto"`` stands for: usable CPUs, rounded up, at least 1."""
    return max(1, math.ceil(usable_cpus() - 0.01))


def cpu_quota() -> float | None:
    """Return the CPU quota of this control group or the tightest of its parents, or None."""
    quotas = [_quota_of(folder) for folder in cgroup_folders()]
    return min((quota for quota in quotas if quota is not None), default=None)


def cgroup_folders() -> list[Path]:
    """Return the folder that holds this process's CPU controller, and those of its parents: each may have a quota."""
    folder, found = cgroup_folder(), []
    while folder is not None and folder != folder.parent:
        found.append(folder)
        if not (folder.parent / "cpu.stat").exists():
            break
        folder = folder.parent
    return found


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
        lines = Path("/proc/self/cgroup").read_text("utf-8", "surrogateescape").splitlines()
        mounts = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
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


class GilWatch:
    """Notices that an import has switched the GIL on in a free-threaded build, and names suspects.

    The import of an extension module that does not declare support for free threading does so; ``-X gil=0`` prevents
    that (PEP 703).
    """

    def __init__(self) -> None:
        self._before = None if gil_enabled() else set(sys.modules)

    def note(self) -> str:
        """Return a message if the GIL was switched on; otherwise an empty text."""
        if self._before is None or not gil_enabled():
            return ""
        endings = tuple(importlib.machinery.EXTENSION_SUFFIXES)
        new = [
            name
            for name, module in list(sys.modules.items())
            if name not in self._before and str(getattr(module, "__file__", "")).endswith(endings)
        ]
        who = f"the import of {' or '.join(new)}" if new else "an import"
        return f"{who} switched the GIL on while this was measured; rounds without it were left out"


def environment(missing_readings: Sequence[str] = ()) -> dict[str, Any]:
    """Return what a report says about the machine, in plain JSON types."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "gil": gil_enabled(),
        "free_threaded_build": "free-threading" in sys.version,
        "system": platform.system(),
        "machine": platform.machine(),
        "cpus_usable": round(usable_cpus(), 2),
        "cpus_logical": os.cpu_count(),
        "cpus_allowed": _affinity(),
        "cpu_quota": cpu_quota(),
        "python_cpu_count": _told(),
        "cores": topology.cores(),
        "core_kinds": dict(topology.kinds()),
        "switch_interval": sys.getswitchinterval(),
        "missing_readings": list(missing_readings),
    }


def describe(priority: str = "ordinary") -> str:
    """One line for the head of a report: ``2 usable CPUs, CPython 3.11.7 with the GIL``."""
    return describe_environment({**environment(), "priority": priority})


def describe_environment(facts: Mapping[str, Any]) -> str:
    """Return the same line for a recorded environment."""
    cpus = facts["cpus_usable"]
    noun = "CPU" if cpus == 1 else "CPUs"
    python = f"{facts['implementation']} {facts['python']} {gil_of(facts)}"
    priority = facts.get("priority", "ordinary")
    raised = "" if priority == "ordinary" else f", {priority} priority"
    return f"{cpus:g} usable {noun}{_limits(cpus, facts)}, {python}, {facts['system']}{raised}"


def gil_of(facts: Mapping[str, Any]) -> str:
    """Return ``without a GIL`` or the like; a free-threaded build has the GIL where an extension module requires it."""
    if not facts["gil"]:
        return "without a GIL"
    return "with the GIL of a free-threaded build" if facts.get("free_threaded_build") else "with the GIL"


def _limits(cpus: float, facts: Mapping[str, Any]) -> str:
    """Describe why fewer CPUs are usable than the machine has, or why they are slower than they seem."""
    told, logical = facts.get("python_cpu_count"), facts.get("cpus_logical") or 1
    affinity = facts.get("cpus_allowed") or logical
    said = ""
    if (facts.get("cpu_quota") or math.inf) < cpus + 0.01:
        said += " (a quota)"
    elif told is not None and told < affinity:
        said += " (PYTHON_CPU_COUNT)"
    elif affinity < logical:
        said += f" of {logical} (affinity)"
    if kinds := facts.get("core_kinds"):
        said += f" ({kinds['performance']} performance, {kinds['efficiency']} efficiency)"
    cores = facts.get("cores")
    if cores is not None and cores < min(cpus, affinity):
        said += f" on {cores} {'core' if cores == 1 else 'cores'}"
    return said
