"""The values that a verdict consists of: figures, bound types and outcomes. All frozen; all times in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NoReturn

from pytest_concurrency.core.leftovers import Leftover
from pytest_concurrency.core.model import BackendName, BoundKind, GilUse, Interference, Interval, VerdictName

__tracebackhide__ = True  # pytest shows a comparison that is refused at the line of the test


class Unordered:
    """Raises TypeError for <, <=, > and >=: a comparison without a margin is no verdict. ``_NO_ORDER`` says so."""

    __slots__ = ()

    _NO_ORDER: ClassVar[str]

    def __lt__(self, other: object) -> NoReturn:
        raise TypeError(self._NO_ORDER)

    def __le__(self, other: object) -> NoReturn:
        raise TypeError(self._NO_ORDER)

    def __gt__(self, other: object) -> NoReturn:
        raise TypeError(self._NO_ORDER)

    def __ge__(self, other: object) -> NoReturn:
        raise TypeError(self._NO_ORDER)


@dataclass(frozen=True, slots=True)
class Estimate(Unordered):
    """A measured value over all rounds that could be read, with its interval from ``low`` to ``high``.

    ``value`` is the median of the rounds. Over six rounds or more, the interval contains the median with 95% confidence
    (order statistics: David & Nagaraja, *Order Statistics*, 3rd ed., 2003, section 7.1). With fewer rounds it is the
    lowest and the highest one, and on a busy machine the medians of the rounds' lower and upper bounds. Where the times
    of calls vary, ``value`` is the ratio of the mean times, with a 95% interval from their variances (Welch).

    ``unit`` is that of all three: ``ratio`` (3.0 is 3x as fast), ``share`` (from 0 to 1) or ``seconds``.

    :raises TypeError: it was compared by ``<``, ``<=``, ``>`` or ``>=``, which would be a verdict without a margin.
    """

    value: float
    low: float
    high: float
    unit: str = "ratio"

    _NO_ORDER: ClassVar[str] = (
        "an estimate has no order: compare its .value, .low or .high.\n"
        "For a verdict, write assert concurrency.speedup(...) >= 2"
    )


@dataclass(frozen=True, slots=True)
class Bound:
    """The bound type: what the time of a call by a single worker goes into.

    ``cpu_share`` is CPU time divided by CPU time and blocked time (the median of the rounds), and ``wait_share`` the
    rest; both are from 0 to 1. Time in which no CPU was free counts as neither.

    ``kind`` is ``io`` if the call computes for at most a quarter of its time, ``cpu`` if it does so for three quarters
    or more, and ``mixed`` in between. ``serialized`` is ``io`` whose waits do not overlap in several workers.

    ``gil`` says who has the global interpreter lock while the call computes: ``held`` is the call, nearly all the time;
    ``released`` lets other threads compute in parallel; ``briefly_released`` does so for microseconds, which makes
    threads no faster; ``disabled`` is an interpreter without one, and ``unknown`` was not measured.

    ``evidence`` is a sentence with the measured values, for people to read.
    """

    kind: BoundKind
    cpu_share: float
    wait_share: float
    gil: GilUse = "unknown"
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class PerBody:
    """One body's part of a worker's time, in seconds; medians over rounds, means over workers."""

    wall: float
    cpu: float
    blocked: float
    delay: float | None


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of a measurement: some ``workers`` of one ``backend``, with a value in seconds for each round.

    ``wall`` is the time from the start of the first worker to the end of the last one. The others are totals of all
    workers: ``cpu`` is computing, ``blocked`` waiting for something other than a CPU, ``delay`` waiting for a CPU (None
    where that cannot be read). Each of the workers made ``loops`` calls in a round. ``body`` has the seconds of one
    call, ``note`` says how the workers were started.
    """

    backend: BackendName
    workers: int
    loops: int
    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    delay: tuple[float, ...] | None
    blocked: tuple[float, ...]
    note: str = ""
    body: PerBody | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """Bounds of one ratio, round by round, as later runs are compared by. ``workers``: None if they do not count."""

    workers: int | None
    bounds: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One worker count of a scaling curve. Its ``speedup`` is that over ``base`` workers.

    ``efficiency`` is the speedup divided by :attr:`ratio`: 1 if each worker brings as much as the first ones.
    ``serial_part`` is the experimentally determined serial fraction (Karp & Flatt, *Measuring parallel processor
    performance*, 1990), from 0 (all parallel) to 1 (all serial), and below 0 where the speedup is superlinear; its
    bounds are those of the speedup. The last three are the seconds that one call took more than with ``base`` workers:
    computing, waiting, and waiting for a CPU (None where that cannot be read).
    """

    workers: int
    speedup: Estimate
    efficiency: float
    serial_part: float
    serial_part_low: float
    serial_part_high: float
    more_cpu: float
    more_blocked: float
    more_delay: float | None
    base: int = 1

    @property
    def ratio(self) -> float:
        """How many times as many workers there are as at the base."""
        return self.workers / self.base


@dataclass(frozen=True, slots=True)
class Spent:
    """What one call took on one ``side`` of a measurement: ``1 thread``, ``4 threads``."""

    side: str
    each: PerBody


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a verdict is other than met, in the parts that every message and report is made of.

    ``kind`` names the section of the documentation about it, ``label`` the expectation as its author wrote it.
    ``place`` is a line of code, or several with a line break between them. ``evidence`` is the median call of each side
    over ``rounds`` rounds.
    """

    kind: str
    headline: str
    label: str = ""
    cause: str = ""
    place: str = ""
    try_next: str = ""
    certainty: str = ""
    evidence: tuple[Spent, ...] = ()
    rounds: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """What a check against the baseline found: a ``regression``, or a loss that is ``unconfirmed``."""

    kind: Literal["regression", "unconfirmed"]
    text: str
    headline: str = ""  # the text in one line
    baseline: str = ""  # the run that it is about


@dataclass(frozen=True, slots=True)
class Outcome:
    """One expectation's verdict and all that a report says of it."""

    marker: str
    arguments: Mapping[str, Any]
    verdict: VerdictName
    reason: str
    estimate: Estimate | None
    threshold: float | None
    rounds: int
    seconds: float
    subject: str = ""  # the call that was measured, such as ``fetch('small')``; empty for a test's own body
    bound: Bound | None = None
    arms: tuple[Arm, ...] = ()
    interference: Interference = field(default_factory=Interference)
    workers: str = ""
    advice: str = ""
    claim: str = ""
    hint: str = ""  # about the threshold, where it is a bad one
    comparison: str = ">="  # how the figure must stand to the threshold
    curve: tuple[Point, ...] = ()
    series: tuple[Series, ...] = ()
    serial: tuple[Interval, ...] = ()  # bounds of the time of one call by one worker, round by round
    change: Change | None = None  # how it stands to the baseline, where one was asked for
    finding: Finding | None = None  # what ``reason`` is made of
    unit: str = "ratio"  # of the threshold and the estimate
    backend: str = ""
    worker_count: int | None = None  # None: one worker was measured, or two callables
    tool: str = ""  # what ``advice`` recommends, by itself
    rules: Mapping[str, int] = field(default_factory=dict)  # how often each rule of the engine held something back
    leftovers: tuple[Leftover, ...] = ()  # what the calls have left running
    negated: bool = False  # whether the test asks for the opposite: ``assert not concurrency.speedup(...) >= 2``
