"""What one test took, phase by phase. All times in seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

PHASES = ("setup", "call", "teardown")
_DIGITS = 6  # microseconds: a clock reading costs more than the next digit says


class Phase(NamedTuple):
    """The readings of one phase, or the sum of several.

    ``cpu`` is that of all threads of the process, ``children`` that of child processes that have ended, and ``delay``
    the run-queue delay of the main thread; None where it cannot be read.
    """

    wall: float = 0.0
    cpu: float = 0.0
    children: float = 0.0
    delay: float | None = None

    @property
    def alone(self) -> float:
        """What it takes where a CPU is always free."""
        return max(0.0, self.wall - (self.delay or 0.0))

    @property
    def computing(self) -> float:
        """CPU time of the process and of its children; more than :attr:`alone` where several computed at a time."""
        return self.cpu + self.children

    @property
    def blocked(self) -> float:
        """Time in which neither the process nor its children computed."""
        return max(0.0, self.alone - self.computing)


def together(phases: Iterable[Phase]) -> Phase:
    """Return the sum; its delay is unknown where none is known."""
    all_wall = all_cpu = all_children = all_delay = 0.0
    is_known = False
    for wall, cpu, children, delay in phases:
        all_wall += wall
        all_cpu += cpu
        all_children += children
        if delay is not None:
            all_delay += delay
            is_known = True
    return Phase(all_wall, all_cpu, all_children, all_delay if is_known else None)


NO_TIME = Phase()


class SurveyedTest(NamedTuple):
    """One test in its one ordinary run; ``blocks`` are those of its event loops, as plain values."""

    nodeid: str
    outcome: str  # passed, failed or skipped
    phases: tuple[Phase, ...]  # as in PHASES
    blocks: Sequence[Mapping[str, Any]] = ()

    @property
    def call(self) -> Phase:
        return self.phases[1]

    @property
    def whole(self) -> Phase:
        return together(self.phases)

    @property
    def function(self) -> str:
        """The test without its parameters: what a marker is put on."""
        return self.nodeid.partition("[")[0]


def on_report(test: SurveyedTest) -> dict[str, Any]:
    """Return plain values, which ride on a test's report from a worker of xdist."""
    return {
        "outcome": test.outcome,
        "phases": list(map(list, test.phases)),
        "blocks": [dict(block) for block in test.blocks],
    }


def from_report(nodeid: str, value: Mapping[str, Any]) -> SurveyedTest:
    """Return what :func:`on_report` was given."""
    phases = tuple(Phase(*phase) for phase in value["phases"])
    return SurveyedTest(nodeid, value["outcome"], phases, tuple(value["blocks"]))


def phase_json(phase: Phase) -> dict[str, Any]:
    """Return a phase as reports have it."""
    wall, cpu, children, delay = phase
    blocked = wall - cpu - children - (delay or 0.0)
    return {
        "wall": round(wall, _DIGITS),
        "cpu": round(cpu, _DIGITS),
        "blocked": round(blocked, _DIGITS) if blocked > 0 else 0.0,
        "delay": delay and round(delay, _DIGITS),
        "children": children and round(children, _DIGITS),
    }
