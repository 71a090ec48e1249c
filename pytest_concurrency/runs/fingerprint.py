"""Which runs are comparable, by facts about the machine and the interpreter that rarely change."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pytest_concurrency.machine.cpus import gil_of

# Facts that change what a speedup can be, and that stay the same from run to run. Not the patch version,
# the host's name or the kernel: they change every week and speedups do not.
_NAMES = {
    "cpus_usable": "usable CPUs",
    "implementation": "implementation",
    "python": "Python version",
    "gil": "GIL",
    "free_threaded_build": "free-threaded build",
    "system": "system",
}

INTERPRETER = ("implementation", "python", "gil", "free_threaded_build")  # what compare-pythons lets differ


def of(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts that distinguish runs: usable CPUs, implementation, major.minor version, GIL, build, system."""
    facts = {name: environment.get(name) for name in _NAMES}
    facts["free_threaded_build"] = bool(facts["free_threaded_build"])
    facts["python"] = ".".join(str(facts["python"]).split(".")[:2])
    return facts


def differences(baseline: Mapping[str, Any], other: Mapping[str, Any], leave_out: Collection[str] = ()) -> list[str]:
    """Say why figures of two environments cannot be compared: ``usable CPUs: 2 and 4``; empty if they can be."""
    before, after = of(baseline), of(other)
    return [
        f"{words}: {_word(name, before[name])} and {_word(name, after[name])}"
        for name, words in _NAMES.items()
        if before[name] != after[name] and name not in leave_out
    ]


def describe(environment: Mapping[str, Any]) -> str:
    """One line: ``2 CPUs, CPython 3.11 with the GIL, Linux``."""
    facts = of(environment)
    python = f"{facts['implementation']} {facts['python']} {gil_of(facts)}"
    return f"{facts['cpus_usable']:g} CPUs, {python}, {facts['system']}"


def brief(environment: Mapping[str, Any]) -> str:
    """The same for a table: ``2 CPUs, 3.11``, with a ``t`` where there is no GIL."""
    facts = of(environment)
    python = facts["python"] if facts["implementation"] == "CPython" else f"{facts['implementation']} {facts['python']}"
    return f"{facts['cpus_usable']:g} CPUs, {python}{'' if facts['gil'] else 't'}"


def _word(name: str, value: object) -> str:
    if isinstance(value, bool):
        return ("on" if value else "off") if name == "gil" else ("yes" if value else "no")
    return f"{value:g}" if isinstance(value, float) else str(value)
