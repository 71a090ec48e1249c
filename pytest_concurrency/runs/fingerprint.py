"""Which runs are comparable, by facts about the machine and the interpreter that rarely change (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Facts that change what a speedup can be, and that stay the same from run to run. Not the patch version,
# the host's name or the kernel: they change every week and speedups do not.
_NAMES = {
    "cpus_usable": "usable CPUs",
    "implementation": "implementation",
    "python": "Python version",
    "gil": "GIL",
    "system": "system",
}


def of(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts that distinguish runs: usable CPUs, implementation, major.minor version, GIL, system."""
    facts = {name: environment.get(name) for name in _NAMES}
    facts["python"] = ".".join(str(facts["python"]).split(".")[:2])
    return facts


def differences(baseline: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Say why figures of two environments cannot be compared: ``usable CPUs: 2 and 4``; empty if they can be."""
    before, after = of(baseline), of(other)
    return [
        f"{words}: {_word(name, before[name])} and {_word(name, after[name])}"
        for name, words in _NAMES.items()
        if before[name] != after[name]
    ]


def describe(environment: Mapping[str, Any]) -> str:
    """One line: ``2 CPUs, CPython 3.11 with the GIL, Linux``."""
    facts = of(environment)
    gil = "with the GIL" if facts["gil"] else "without a GIL"
    return f"{facts['cpus_usable']:g} CPUs, {facts['implementation']} {facts['python']} {gil}, {facts['system']}"


def brief(environment: Mapping[str, Any]) -> str:
    """The same for a table: ``2 CPUs, 3.11``, with a ``t`` where there is no GIL."""
    facts = of(environment)
    python = facts["python"] if facts["implementation"] == "CPython" else f"{facts['implementation']} {facts['python']}"
    return f"{facts['cpus_usable']:g} CPUs, {python}{'' if facts['gil'] else 't'}"


def _word(name: str, value: object) -> str:
    if name == "gil":
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
