"""What is measured, what is claimed about it, and what can measure it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pytest_concurrency.core.model import ExecutorChoice, GilProbe, Interference, Interval, Round, VerdictName
from pytest_concurrency.core.units import ONE, count
from pytest_concurrency.engine.claims import Claim, Knowledge

Method = Literal["pair", "hold", "block"]


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """One worker against some: ``workers`` None measures the one worker alone.

    ``method`` says what a round is: a pair of batches (or one), one body beside a thread that wants
    the GIL (``hold``), or one body beside a beat of its own event loop (``block``).
    """

    backend: str
    workers: int | None = None
    method: Method = "pair"
    executor: ExecutorChoice | None = None  # what stands behind a backend that is not one of ours
    sustained: float = 0.0  # seconds that each batch takes at least, so that a burst of a rate limit is used up in it

    @property
    def group_size(self) -> int:
        return self.workers or 1

    @property
    def one_thread(self) -> bool:
        """Whether all workers share a thread, so that their computing never overlaps: the tasks of an event loop."""
        return self.backend == "tasks"

    @property
    def bodies_per_thread(self) -> int:
        """How many bodies one reading is about: the tasks of an event loop share its thread."""
        return self.group_size if self.one_thread else 1

    @property
    def own_code(self) -> bool:
        """Whether it is the user's own code that is concurrent, or not: two callables are set against each other."""
        return self.backend == "compare"

    @property
    def shares_gil(self) -> bool:
        """Whether its workers are threads, or tasks, of this process, which share its GIL if it has one."""
        return self.backend in ("threads", "tasks")

    @property
    def renewable(self) -> bool:
        """Whether its workers are ours to replace by fresh ones; an event loop, and a user's pool, stay."""
        if self.one_thread or self.own_code:
            return False
        return self.executor is None or self.executor.given is None

    def who(self, workers: int | None = None) -> str:
        """In words, who works: ``4 threads``, ``1 process``, ``2 dask workers``."""
        number = self.group_size if workers is None else workers
        if self.backend in ONE:
            return count(number, ONE[self.backend], self.backend)
        return count(number, f"{self.backend} worker")

    @property
    def key(self) -> str:
        """What two setups have in common whose workers can be the same."""
        given = self.executor.given if self.executor is not None else None
        key = self.backend if given is None else f"{self.backend}#{id(given)}"
        return f"{key} for {self.sustained:g} s" if self.sustained else key


@dataclass(frozen=True, slots=True)
class CpuSite:
    """Where the workers of a setup run: the CPUs that they have together, and what they share."""

    cpus: float
    has_gil: bool = True
    one_interpreter: bool = True
    cores: int | None = None  # what the CPUs are hardware threads of, if that is known
    at_once: int | None = None  # of a pool: how many of its workers were seen to run at the same time
    pinned: int | None = None  # the CPUs on which its workers may run, if these are fewer: a library may pin them
    needs_right: bool = False  # whether a right that pytest lacks would give the workers a higher priority

    @property
    def usable(self) -> float:
        """The CPUs that its workers can keep busy."""
        return min(self.cpus, self.at_once or self.cpus, self.pinned or self.cpus)


def _no_reason(rounds: Sequence[Round], known: Knowledge) -> str | None:
    return None


def _all_decided(verdicts: Sequence[VerdictName | None]) -> bool:
    return "not_met" in verdicts or None not in verdicts


@dataclass(frozen=True, slots=True)
class Plan:
    """A setup and the claims that its rounds vote on."""

    setup: WorkerSetup
    claims: tuple[Claim, ...]
    needs_gil: bool = False
    # Says why this machine cannot show it, once some rounds have been seen; None if it can.
    unmeasurable: Callable[[Sequence[Round], Knowledge], str | None] = _no_reason
    # Whether the claims' verdicts so far, None while open, are all that is wanted.
    answered: Callable[[Sequence[VerdictName | None]], bool] = _all_decided
    # Whether one claim that is not met decides the expectation; else they are alternatives, of which one is the answer.
    all_must_hold: bool = True
    most_rounds: int | None = None
    # Whether the bounds of the first ratio, and as many rounds, will do for comparing runs. Measuring goes on
    # until then, even if all claims are decided, as far as the time allows. None: no runs are compared.
    comparable: Callable[[Sequence[Interval], int], bool] | None = None
    # Plans that belong to the same expectation and come first: the smaller counts of a curve.
    steps: tuple[Plan, ...] = ()


class Bench(Protocol):
    """What the measuring loop needs; the tests have a scripted one."""

    def now(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...
    def prepare(self, setup: WorkerSetup) -> None: ...
    def site(self, setup: WorkerSetup) -> CpuSite:
        """Where a prepared setup's workers run."""
        ...

    def round(self, setup: WorkerSetup) -> Round: ...
    def probe_gil(self) -> GilProbe | None: ...
    def control(self, setup: WorkerSetup) -> Round: ...
    def refresh(self, setup: WorkerSetup) -> None: ...
    def lengthen(self, setup: WorkerSetup) -> None: ...
    def one_call(self, setup: WorkerSetup, serial_calls: int) -> bool:
        """From now on let each concurrent worker make one call a round, and the single one so many.

        Return whether rounds so far had longer batches, so that they are about another figure.
        """
        ...

    def stagger(self, setup: WorkerSetup, most: int) -> None:
        """Run a random number of calls more, up to ``most``: a slow n-th call could always be in the same batch."""
        ...

    def note(self, setup: WorkerSetup) -> str: ...
    def interference(self) -> Interference: ...
