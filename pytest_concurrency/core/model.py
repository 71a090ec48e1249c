"""The values that travel from the clocks to the reports. All frozen; all times in seconds."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

BackendName = str
BoundKind = Literal["io", "cpu", "mixed", "serialized"]
# Who has the GIL while a body computes. ``held``: the body, nearly all the time. ``released``: threads beside it can
# compute in parallel. ``briefly_released``: the body lets it go often and for microseconds, as SQLite does at each row,
# so that a thread beside it can have it, and two such bodies are no faster than one (a convoy).
GilUse = Literal["held", "released", "briefly_released", "disabled", "unknown"]
Accounting = Literal["one", "seen", "native", "unseen", "unclear"]
VerdictName = Literal["met", "not_met", "undecided", "unmeasurable"]


@dataclass(frozen=True, slots=True)
class Body:
    """The workload: what one worker runs once.

    ``values`` names the fixture values and arguments that it is called with, so that an error can
    tell which of them is at fault.
    """

    function: Callable[..., Any]
    positional: tuple[Any, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    is_async: bool = False
    label: str = "the body"
    # Makes fresh input, outside of the timed part, for each batch of each worker.
    prepare: Callable[[], Any] | None = None

    @property
    def call(self) -> Callable[[], Any]:
        """The body without parameters; of an ``async def`` body, what makes its coroutine."""
        if not self.positional and not self.values:
            return self.function
        return functools.partial(self.function, *self.positional, **self.values)


@dataclass(frozen=True, slots=True)
class ExecutorChoice:
    """A ``concurrent.futures.Executor`` to measure with, as it was asked for.

    ``given`` is an executor, what makes one (called with the number of workers), or None for the
    backend that is registered by this ``name``.
    """

    name: str
    given: Any = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What one worker did during one batch.

    ``start`` and ``end`` are on the host's monotonic clock, which all processes share. ``delay`` is
    the run delay: time in which the worker could have run and had no CPU. ``late`` is the part of it
    that fell between the release of the batch and ``start``. ``switches`` counts how often the
    worker gave up its CPU of its own will, as it does to wait. ``None``: not readable here.

    ``accounting`` says who did the work where a user's own code is read as a whole: ``one`` thread; several,
    whose run delay has been ``seen`` and is in ``delay``; among these threads of ``native`` code, which may spin while
    they wait; or others too, whose run delay is ``unseen``; or it is ``unclear`` what threads that computed beside it
    did: work for the body, or take the GIL from it. ``ends`` says of tasks, which share a thread, when each was done.
    """

    start: float
    end: float
    cpu: float
    delay: float | None = None
    late: float | None = None
    switches: int | None = None
    accounting: Accounting = "seen"
    ends: tuple[float, ...] = ()

    @property
    def wall(self) -> float:
        return self.end - self.start

    @property
    def blocked(self) -> float:
        """Lifetime less CPU less run delay: waiting for something other than a CPU."""
        return max(0.0, self.wall - self.cpu - (self.delay or 0.0))


@dataclass(frozen=True, slots=True)
class Sample:
    """One batch: each of some workers ran the body ``loops`` times."""

    loops: int
    readings: tuple[Reading, ...]

    @property
    def workers(self) -> int:
        return len(self.readings)

    @property
    def start(self) -> float:
        return min(reading.start for reading in self.readings)

    @property
    def wall(self) -> float:
        """From the first worker's start to the last one's end."""
        return max(reading.end for reading in self.readings) - self.start

    @property
    def cpu(self) -> float:
        return sum(reading.cpu for reading in self.readings)

    @property
    def delay(self) -> float:
        return sum(reading.delay or 0.0 for reading in self.readings)

    @property
    def blocked(self) -> float:
        return sum(reading.blocked for reading in self.readings)


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds of one quantity."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Interference:
    """What else the machine did during a round, as CPUs (1.0 is one CPU kept busy).

    ``None``: not readable here.
    """

    foreign: float | None = None
    steal: float | None = None
    throttled: float | None = None

    @property
    def taken(self) -> float:
        """CPUs that a hypervisor or a quota took away, as far as that is known; no run delay shows it."""
        return (self.steal or 0.0) + (self.throttled or 0.0)


@dataclass(frozen=True, slots=True)
class GilProbe:
    """A heartbeat beside one batch of one worker: how much of its computing held the GIL.

    ``surely_held`` and ``perhaps_held`` bound the CPU time in which the GIL could not be had,
    ``longest`` bounds the longest single hold; ``where`` is the place in the code at its end.
    """

    window: float
    cpu: float
    surely_held: float
    perhaps_held: float
    longest: Interval
    beats: int
    where: str | None = None
    # The longest hold that beats with a CPU at hand saw, and their part of all the time.
    witnessed: float = 0.0
    coverage: float = 0.0
    # How many of the beats found the GIL taken, however short the wait for it was; None where that cannot be read.
    taken: int | None = None


@dataclass(frozen=True, slots=True)
class BlockProbe:
    """A beat on an event loop beside one body: bounds of the longest time in which it could not run.

    The lower bound leaves out the time in which the loop's thread had no CPU. ``where`` is the place
    in the code that kept the loop from running, if it was caught; ``idle`` says that it was none: the loop had
    nothing to run, and could not go on.
    """

    longest: Interval
    where: str | None = None
    idle: bool = False


@dataclass(frozen=True, slots=True)
class Round:
    """One worker, then several workers (or the other way about), close together in time."""

    number: int
    serial: Sample
    concurrent: Sample | None = None
    interference: Interference = Interference()
    gil: GilProbe | None = None
    block: BlockProbe | None = None
    has_gil: bool = True  # at its end: an import can switch the GIL on in a free-threaded build


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure over all rounds that could be read, with an interval of 95 % for it.

    ``unit`` is ``ratio``, ``share`` (from 0 to 1) or ``seconds``.
    """

    value: float
    low: float
    high: float
    unit: str = "ratio"

    def _refuse_order(self, other: object) -> NoReturn:
        raise TypeError(
            "an estimate has no order: compare its .value, .low or .high. For a verdict that holds in every run, write "
            "assert concurrency.speedup(...) >= 2"
        )

    __lt__ = __le__ = __gt__ = __ge__ = _refuse_order


@dataclass(frozen=True, slots=True)
class Bound:
    """What the body's time goes into: shares from 0 to 1 of a single worker's own time. ``evidence`` is for people."""

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
    """One side of a measurement, with its rounds' totals: seconds, of all its workers and loops together.

    ``cpu`` is computing, ``blocked`` waiting for something other than a CPU, ``delay`` waiting for a CPU (None where
    that cannot be read). Each of the workers ran the body ``loops`` times in a round.
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
    """One worker count of a scaling curve.

    ``serial_part`` is the experimentally determined serial fraction, with its spread; the last three
    are what one body took more than alone, in seconds.
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


@dataclass(frozen=True, slots=True)
class Change:
    """What a look at the baseline found while the test ran: ``regression``, or a loss that was not ``confirmed``."""

    kind: Literal["regression", "unconfirmed"]
    text: str


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
    bound: Bound | None = None
    arms: tuple[Arm, ...] = ()
    interference: Interference = Interference()
    workers: str = ""
    advice: str = ""
    claim: str = ""
    hint: str = ""  # about the threshold, where it is a bad one
    comparison: str = ">="  # how the figure must stand to the threshold
    curve: tuple[Point, ...] = ()
    series: tuple[Series, ...] = ()
    change: Change | None = None  # how it stands to the baseline, where one was asked for
