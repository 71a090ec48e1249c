"""Whether a machine is suitable for measured tests, from what was read and tried on it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_concurrency.core.model import Interference
from pytest_concurrency.core.outcomes import Estimate
from pytest_concurrency.core.units import count, duration, number, ratio, share
from pytest_concurrency.engine import constants
from pytest_concurrency.machine.priority import ORDINARY, Priority

Mark = Literal["ok", "note", "bad"]

_COARSE = 0.001  # seconds: a clock with longer ticks cannot see short waits
_SWITCH = 0.005  # seconds, Python's default
_NOISY = 0.25  # part of a figure, by which it may differ from its repetitions
_EQUAL = 1.25  # factor that code may differ from itself by: the margin of the markers


@dataclass(frozen=True, slots=True)
class Line:
    """One row of what the command shows."""

    label: str
    text: str
    mark: Mark = "ok"


@dataclass(frozen=True, slots=True)
class Ruling:
    """The verdict of one real test, and how long it took."""

    verdict: str
    seconds: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Repeats:
    """How much one measurement differs from its repetitions: a part of its median, at most."""

    ordinary: float
    higher: float | None = None  # None where the priority cannot be raised


@dataclass(frozen=True, slots=True)
class Checkup:
    """Everything that was read and tried."""

    usable: float
    cpus: Sequence[tuple[str, str]]  # each limit that was found, and its value
    python: str
    gil: bool
    switch_interval: float
    clocks: Mapping[str, float]  # name -> resolution in seconds
    readings: Mapping[str, str | None]  # name -> why it cannot be read, None if it can
    seconds: float
    interference: Interference  # over the whole time
    worst: Interference  # in its worst tenth of a second
    same: Estimate | None  # a function against itself
    control: Mapping[str, Estimate | str]  # backend -> speedup of the reference workload, or why there is none
    workers: int  # of the reference workload
    notes: Mapping[str, str]  # backend -> how its workers start
    start_methods: Sequence[str]
    waiting: Ruling
    computing: Ruling | None  # None on one CPU
    priority: Priority = ORDINARY  # the highest one that is allowed for measured tests
    throttling: float | None = None  # the part of a second that real-time threads may use
    repeats: Repeats | None = None  # None if it could not be measured


_RAISE = "sudo prlimit --rtprio=1 --nice=40 --pid $$ (in the shell that runs pytest; Docker: --ulimit rtprio=1)"
_COST = {
    "run delay": "rounds count only while other programs use less than 0.25 CPUs, so on a busy machine verdicts "
    "take longer, or stay undecided",
    "foreign load": "the load by other programs is not known, so an undecided verdict cannot say why",
    "steal": "CPU time that a hypervisor takes shows only in the reference workload",
    "throttling": "a quota that stops the process shows only in the reference workload",
    "switches": "waits for a lock and for a CPU are harder to distinguish, so slow verdicts take more rounds",
    "GIL heartbeat": "not needed",
}
_HARMLESS = ("GIL heartbeat", "throttling")


def delivered(checkup: Checkup) -> int:
    """Return the number of CPUs that the reference workload got, in the backend that got most."""
    figures = [value.value for value in checkup.control.values() if isinstance(value, Estimate)]
    most = max(1, min(checkup.workers, math.ceil(checkup.usable)))
    best = max(figures, default=1.0)
    return max(wide for wide in range(1, most + 1) if wide == 1 or best >= constants.DELIVERED * wide)


def lines(checkup: Checkup) -> list[Line]:
    """Return every reading as a row."""
    found = [Line("usable CPUs", _cpus(checkup), "ok" if checkup.usable >= 2 else "note")]
    switch = f"; switch interval {duration(checkup.switch_interval)}"
    usual = abs(checkup.switch_interval - _SWITCH) < 1e-9
    found.append(
        Line("Python", checkup.python + switch + ("" if usual else " instead of 5 ms"), "ok" if usual else "note")
    )
    coarse = any(value > _COARSE for value in checkup.clocks.values())
    clocks = ", ".join(f"{name} {duration(value)}" for name, value in checkup.clocks.items())
    found.append(
        Line("clock ticks", clocks + (": too coarse for short bodies" if coarse else ""), "note" if coarse else "ok")
    )
    readable = [name for name, why in checkup.readings.items() if why is None]
    found.append(Line("readable", ", ".join(readable) or "nothing", "ok" if readable else "note"))
    for name, why in checkup.readings.items():
        if why is not None:
            mark: Mark = "ok" if name in _HARMLESS else "note"
            found.append(Line(name, f"cannot be read: {why}. Without it: {_COST[name]}", mark))
    found.append(_interference(checkup))
    found.append(_same(checkup))
    found.extend(_control(checkup))
    found.append(_priority(checkup))
    if checkup.priority.needs_right:
        found.append(Line("to raise it", _RAISE, "note"))
    if checkup.repeats is not None:
        found.append(_repeats(checkup.repeats, checkup.priority))
    found.append(Line("start methods", ", ".join(checkup.start_methods)))
    found.append(_ruling("waiting test", checkup.waiting))
    if checkup.computing is not None:
        found.append(_ruling("computing test", checkup.computing))
    return found


def _priority(checkup: Checkup) -> Line:
    """What the process may do about other programs."""
    found = checkup.priority
    if found.kind == "realtime":
        left = f"; the kernel leaves ordinary threads {share(1 - checkup.throttling)}" if checkup.throttling else ""
        return Line("priority", f"tests are measured at real-time priority{left}")
    if found.kind == "nice":
        return Line("priority", f"tests are measured at nice {found.nice}: {found.why}", "note")
    return Line(
        "priority",
        f"tests are measured at the ordinary priority: {found.why}. On a busy machine verdicts take longer, or stay "
        "undecided",
        "note",
    )


def _repeats(repeats: Repeats, priority: Priority) -> Line:
    """What the priority gains: the same trial with and without."""
    text = f"by {share(repeats.ordinary)} at the ordinary priority"
    if repeats.higher is None:
        return Line("rounds differ", text, "note" if repeats.ordinary > _NOISY else "ok")
    noisy = min(repeats.ordinary, repeats.higher) > _NOISY
    return Line(
        "rounds differ", f"{text}, by {share(repeats.higher)} at {priority} priority", "note" if noisy else "ok"
    )


def fit(checkup: Checkup, wanted: int) -> bool:
    """Whether tests can be decided here, those of computing on up to ``wanted`` CPUs."""
    return (
        all(line.mark != "bad" for line in lines(checkup))
        and delivered(checkup) >= wanted
        and not _half_delivered(checkup)
    )


def answer(checkup: Checkup, wanted: int) -> str:
    """Return the answer in one or two sentences."""
    wide = delivered(checkup)
    computing = (
        f"and of computing on up to {count(wide, 'CPU')}"
        if wide > 1
        else "but not of computing in parallel: that needs 2 CPUs"
    )
    times = [checkup.waiting.seconds, *([checkup.computing.seconds] if checkup.computing and wide > 1 else [])]
    expect = " to ".join(duration(value) for value in sorted({round(value, 2) or 0.01 for value in times}))
    if fit(checkup, wanted):
        return (
            f"Suitable for tests of waiting with any number of workers, {computing}. Expect about {expect} per verdict "
            "for a short body, and more for a long one or while other programs run."
        )
    if checkup.usable < wanted:
        usable = number(round(checkup.usable, 2))
        return (
            f"Not suitable: --cpus asks for {count(wanted, 'CPU')}, and {usable} are usable. Choose a machine with "
            "more CPUs, or ask for fewer."
        )
    problems = [line for line in lines(checkup) if line.mark == "bad"]
    if problems:
        why = f"see {' and '.join(line.label for line in problems)} above"
    elif _half_delivered(checkup):
        why = f"the reference workload got {count(wide, 'CPU')}, though {number(round(checkup.usable, 2))} are usable"
    else:
        why = f"--cpus asks for {count(wanted, 'CPU')}, and the reference workload got {count(wide, 'CPU')}"
    return f"Not suitable at the moment: {why}. {_cure(checkup)}"


def _cure(checkup: Checkup) -> str:
    busy = checkup.interference.foreign
    if busy is not None and busy > constants.QUIET:
        return "Other programs keep the machine busy: try again when they have ended, or choose another machine."
    if checkup.interference.taken > constants.TAKEN:
        return "A hypervisor or a CPU quota takes CPUs away: give the machine or the container more CPUs."
    return "Tests may be undecided here, which skips them. Try again, or choose another machine."


def _half_delivered(checkup: Checkup) -> bool:
    return checkup.usable >= 2 and delivered(checkup) < min(2, int(checkup.usable))


def _cpus(checkup: Checkup) -> str:
    inside = ", ".join(f"{name}: {text}" if text else name for name, text in checkup.cpus)
    return f"{number(round(checkup.usable, 2))} ({inside})"


def _interference(checkup: Checkup) -> Line:
    mean, worst = checkup.interference, checkup.worst
    over = f"over {duration(checkup.seconds)}"
    if mean.foreign is None:
        return Line("interference", "not readable here", "note")
    text = f"other programs use {mean.foreign:.2f} CPUs {over}"
    if worst.foreign is not None:
        text += f", {max(worst.foreign, mean.foreign):.2f} at worst"
    if (steal := mean.steal or 0.0) > 0.005:
        text += f"; the hypervisor takes {steal:.2f}"
    if (throttled := mean.throttled or 0.0) > 0.005:
        text += f"; the quota stops it for {throttled:.0%} of the time"
    return Line(
        "interference", text, "note" if mean.foreign > constants.QUIET or mean.taken > constants.TAKEN else "ok"
    )


def _same(checkup: Checkup) -> Line:
    found = checkup.same
    label = "A/A trial"
    if found is None:
        return Line(label, "no round could be read", "bad")
    text = f"a function is {ratio(found.value)} [{found.low:.2f}, {found.high:.2f}] as fast as itself"
    if found.low > _EQUAL or found.high < 1 / _EQUAL:
        return Line(label, text + ": figures of this machine are wrong", "bad")
    if found.high > found.low * _EQUAL**2:
        return Line(label, text + ": a wide interval, the machine is busy", "note")
    # The interval covers 95%, so it misses 1 by a little now and then.
    return Line(label, text, "ok" if found.low - 0.02 <= 1 <= found.high + 0.02 else "note")


def _control(checkup: Checkup) -> list[Line]:
    found = []
    for backend, value in checkup.control.items():
        label = f"{checkup.workers} {backend}"
        note = f"; {checkup.notes[backend]}" if checkup.notes.get(backend) else ""
        if isinstance(value, str):
            found.append(Line(label, value, "note"))
            continue
        best = min(float(checkup.workers), checkup.usable)
        enough = value.value >= constants.DELIVERED * best
        text = f"{ratio(value.value)} [{value.low:.2f}, {value.high:.2f}] of the {number(round(best, 2))}x possible"
        found.append(Line(label, text + note, "ok" if enough else "note"))
    return found


def _ruling(label: str, ruling: Ruling) -> Line:
    if ruling.verdict == "met":
        return Line(label, f"met after {duration(ruling.seconds)}")
    said = f"{ruling.verdict.replace('_', ' ')} after {duration(ruling.seconds)}"
    return Line(label, said + (f": {ruling.reason}" if ruling.reason else ""), "bad")
