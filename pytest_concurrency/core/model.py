"""The values that are measured: readings, batches and rounds. All frozen; all times in seconds."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

BackendName = str
BoundKind = Literal["io", "cpu", "mixed", "serialized"]
# Who has the GIL while a body computes. ``held``: the body, nearly all the time. ``released``: threads beside it can
# compute in parallel. ``briefly_released``: the body lets it go often and for microseconds, as SQLite does at each row,
# so that a thread beside it can have it, and two such bodies are no faster than one (a convoy).
GilUse = Literal["held", "released", "briefly_released", "disabled", "unknown"]
Accounting = Literal["one", "seen", "native", "helped", "unseen", "unclear"]
VerdictName = Literal["met", "not_met", "undecided", "unmeasurable"]
# The first one that any part has is the verdict of the whole.
PRECEDENCE: tuple[VerdictName, ...] = ("not_met", "unmeasurable", "undecided", "met")


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
    they wait; or others too, whose run delay is ``unseen``; or it is ``unclear`` whether threads that computed beside
    it worked for the body. A worker that others ``helped`` has a part of their run delay in
    ``helpers_delay``, so that the workers' parts add up to all of it. ``ends`` says of tasks, which share a thread,
    when each was done. ``by_index`` says that the body has asked which worker runs it, ``each`` what one body of each
    worker took where a single worker ran the bodies of several, one after the other, in seconds. ``children_cpu``
    is what the child processes of a worker process have computed, however little.
    """

    start: float
    end: float
    cpu: float
    delay: float | None = None
    late: float | None = None
    switches: int | None = None
    accounting: Accounting = "seen"
    ends: tuple[float, ...] = ()
    by_index: bool = False
    each: tuple[float, ...] = ()
    children_cpu: float = 0.0
    helpers_delay: float = 0.0

    def scaled(self, part: float) -> Reading:
        """Return the reading of a part of the same calls, or of a multiple of them."""
        return replace(
            self,
            end=self.start + self.wall * part,
            cpu=self.cpu * part,
            delay=None if self.delay is None else self.delay * part,
            switches=None if self.switches is None else round(self.switches * part),
            helpers_delay=self.helpers_delay * part,
        )

    @property
    def wall(self) -> float:
        return self.end - self.start

    @property
    def blocked(self) -> float:
        """Lifetime less CPU less run delay: waiting for something other than a CPU."""
        return max(0.0, self.wall - self.cpu - (self.delay or 0.0))

    @property
    def with_helpers(self) -> bool:
        """Whether threads or processes other than the workers computed for the body."""
        return self.accounting in ("helped", "unseen")


@dataclass(frozen=True, slots=True)
class Sample:
    """One batch: each of some workers ran the body ``loops`` times.

    ``gil_taken`` is for how many seconds threads that do not work for the body may have held the GIL, where they did so
    for a notable part of the batch. ``exclusive`` says that no other program could take a CPU from the workers.
    """

    loops: int
    readings: tuple[Reading, ...]
    gil_taken: float = 0.0
    exclusive: bool = False

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

    @property
    def helpers_delay(self) -> float:
        """Run delay of all helpers of the workers; infinite where that of some is not known."""
        if any(reading.accounting == "unseen" for reading in self.readings):
            return math.inf
        return sum(reading.helpers_delay for reading in self.readings)


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds of one quantity."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Interference:
    """What else the machine did during a round, as CPUs (1.0 is one CPU kept busy).

    ``None``: not readable here. ``cpus`` is how many CPUs the first two were counted over.
    """

    foreign: float | None = None
    steal: float | None = None
    throttled: float | None = None
    cpus: float = 2.0

    @property
    def taken(self) -> float:
        """CPUs that a hypervisor or a quota took away, as far as that is known; no run delay shows it.

        Per two CPUs. On 64 CPUs, a hypervisor that takes 1% of each takes 0.64 CPUs, but only 1% of a worker's time.
        """
        return (self.steal or 0.0) / self._pairs + (self.throttled or 0.0)

    @property
    def others(self) -> float | None:
        """CPUs that other programs kept busy, per two CPUs."""
        return None if self.foreign is None else self.foreign / self._pairs

    @property
    def _pairs(self) -> float:
        return max(1.0, self.cpus / 2)


@dataclass(frozen=True, slots=True)
class GilProbe:
    """A heartbeat beside one batch of one worker: how much of its computing held the GIL.

    ``surely_held`` and ``perhaps_held`` bound the CPU time in which the GIL could not be had,
    ``longest`` bounds the longest single hold; ``where`` is the place in the code at its end.

    ``least_beside_others`` is the lower bound of the longest hold where other programs run, in seconds; None if it is
    the same. It leaves out the time in which another thread of the process, that may have held the GIL, had no CPU.
    ``others_cpu`` is the CPU time of the process's other threads, in seconds.
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
    # How many of the beats found the GIL taken, and got it soon; None where that cannot be read.
    taken_briefly: int | None = None
    least_beside_others: float | None = None
    others_cpu: float = 0.0


@dataclass(frozen=True, slots=True)
class BlockProbe:
    """A beat on an event loop beside one body: bounds of the longest time in which it could not run.

    The lower bound leaves out the time in which the loop's thread had no CPU. ``where`` is the place
    in the code that kept the loop from running, if it was caught; ``idle`` says that it was none: the loop had
    nothing to run, and could not go on.

    ``besides_gil`` is the longest time in which it cannot have waited for the GIL, but was blocked all the same.
    ``least_beside_others`` and ``others_cpu`` are what they are for :class:`GilProbe`.
    """

    longest: Interval
    where: str | None = None
    idle: bool = False
    besides_gil: float = 0.0
    least_beside_others: float | None = None
    others_cpu: float = 0.0


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
