"""CPU topology: which usable CPUs share a core, and which are performance or efficiency cores.

Linux shows it under ``/sys``; elsewhere psutil knows the number of cores. Nothing is assumed where it is unknown: a
virtual machine often shows hardware threads as cores of their own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Set
from pathlib import Path

DEVICES = Path("/sys/devices")


def allowed() -> Set[int] | None:
    """Return the CPUs that this process may run on (its affinity), or None where it cannot be read."""
    affinity = getattr(os, "sched_getaffinity", None)
    return affinity(0) if affinity is not None else None


def cores(devices: Path | None = None) -> int | None:
    """Return how many cores the allowed CPUs belong to: fewer than the CPUs where hardware threads share a core."""
    mine = allowed()
    if mine is None:
        return _cores_elsewhere()
    devices = devices or DEVICES
    siblings = set()
    for cpu in mine:
        topology = devices / "system" / "cpu" / f"cpu{cpu}" / "topology"
        # The newer name first; both list the hardware threads of one core.
        shared = _cpus_in(topology / "core_cpus_list") or _cpus_in(topology / "thread_siblings_list")
        if not shared:
            return None
        siblings.add(frozenset(shared))
    return len(siblings)


def _cores_elsewhere() -> int | None:
    try:
        import psutil
    except ImportError:
        return None
    return psutil.cpu_count(logical=False)


def kinds(devices: Path | None = None) -> Mapping[str, int]:
    """Return ``{"performance": 4, "efficiency": 8}`` for the allowed CPUs; empty if all are alike or unknown."""
    devices = devices or DEVICES
    mine = allowed() or set()
    # Intel's hybrid processors have a performance-counting unit for each kind of core.
    fast, slow = _cpus_in(devices / "cpu_core" / "cpus") & mine, _cpus_in(devices / "cpu_atom" / "cpus") & mine
    if not (fast and slow):
        capacities = {cpu: _number_in(devices / "system" / "cpu" / f"cpu{cpu}" / "cpu_capacity") for cpu in mine}
        most = max(capacities.values(), default=0)
        fast = {cpu for cpu, capacity in capacities.items() if capacity == most}
        slow = mine - fast if 0 not in capacities.values() else set()
    return {"performance": len(fast), "efficiency": len(slow)} if fast and slow else {}


def _cpus_in(file: Path) -> Set[int]:
    """Read a list of CPUs such as ``0-3,8``; empty if there is none."""
    try:
        text = file.read_text().strip()
        found = set[int]()
        for part in filter(None, text.split(",")):
            first, _, last = part.partition("-")
            found.update(range(int(first), int(last or first) + 1))
    except (OSError, ValueError):
        return set()
    return found


def _number_in(file: Path) -> int:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return 0
