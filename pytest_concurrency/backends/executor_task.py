"""What runs inside a worker of someone else's pool: one batch, begun together with the others."""

from __future__ import annotations

import functools
import os
import platform
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from contextvars import Context, copy_context
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from pytest_concurrency.backends.batch import (
    LEFT_BEHIND,
    asked_index,
    bodies_of,
    current_worker,
    forget_index,
    run_batch,
)
from pytest_concurrency.backends.serialization import (
    Answer,
    Modules,
    raised,
    take_context_variables,
    take_surroundings,
    unpack,
)
from pytest_concurrency.core.leftovers import Leftover, merged
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.cpus import usable_cpus
from pytest_concurrency.probes.helper_threads import UsedCpu, watched
from pytest_concurrency.probes.leftovers import Leftovers
from pytest_concurrency.probes.thread_clock import ThreadClock

Jobs = Mapping[str, Callable[[], Any]]


class Known(NamedTuple):
    """A body's jobs, and the context to run them in: what fixtures have set is seen, and what the body sets is not."""

    jobs: Jobs
    context: Context


# Bodies of worker groups of this very process and interpreter, which are not pickled.
here: dict[str, Known] = {}
_unpacked: dict[str, Known] = {}
_leftovers: dict[str, Leftovers] = {}  # of bodies whose workers are in another process or interpreter than the test
_mine = threading.local()

# Which thread of this interpreter is at which worker's part: {(key of the group, index): ident}.
at_work: dict[tuple[str, int], int] = {}
# The program that holds it knows that no other one ends its part during that time.
at_work_lock: threading.Lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One worker's part of one batch."""

    key: str  # of the group
    job: str
    loops: int
    index: int
    count: int
    backend: str
    start_at: float  # when all begin, on the clock of the session's host
    offsets: Mapping[str, float]  # by which the clocks of hosts are ahead of it, as far as known
    home: int  # the session's process
    packed: bytes | None = None
    state: bytes = b""
    modules: Modules = field(default_factory=dict)
    path: tuple[str, ...] = ()
    turns: int = 1  # how many workers' parts this one does, one after the other


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a worker lives."""

    host: str
    process: int
    interpreter: int
    thread: int
    cpus: float
    native_id: int  # of the thread, as the system numbers it


@dataclass(frozen=True, slots=True)
class Report:
    """A worker's answer, with the times at which it had the work item and was done, on its host's clock."""

    answer: Answer | None  # None: this worker would need the body's packed form
    arrived: float
    done: float
    origin: Origin
    begun: UsedCpu  # what its process had used when the worker had its input
    ended: UsedCpu


def work(work_item: WorkItem) -> Report:
    """Run one work item; every exception of the body is an answer."""
    known = _known(work_item)
    origin = stack_location()
    arrived, begun = CLOCKS.wall(), UsedCpu.now()
    if known is None:
        return Report(None, arrived, arrived, origin, begun, begun)
    if isinstance(known, Answer):
        return Report(known, arrived, arrived, origin, begun, begun)
    # A copy: one context cannot be entered by two threads at a time.
    return known.context.copy().run(_work, work_item, known.jobs, origin, arrived, begun)


def _work(work_item: WorkItem, jobs: Jobs, origin: Origin, arrived: float, begun: UsedCpu) -> Report:
    clock = _clock()
    bodies = bodies_of(work_item.index, work_item.count, work_item.backend, work_item.turns)
    current_worker.set(bodies[0])
    part = work_item.key, work_item.index
    at_work[part] = origin.thread
    input_by_index = False
    try:
        left = _leftovers_of(work_item)
        if work_item.job == LEFT_BEHIND:
            answer = Answer("left", left=() if left is None else left.found())
            return Report(answer, arrived, CLOCKS.wall(), origin, begun, UsedCpu.now())
        if "prepare" in jobs and work_item.job == "body":
            forget_index(*bodies)
            for worker in bodies:
                current_worker.set(worker)
                jobs["prepare"]()
            input_by_index = asked_index(*bodies)
            arrived, begun = CLOCKS.wall(), UsedCpu.now()
        idle_delay = clock.delay()
        offset = work_item.offsets.get(origin.host)
        if offset is not None:
            CLOCKS.sleep(max(0.0, work_item.start_at + offset - CLOCKS.wall()))
        call = jobs.get(work_item.job, _idle)
        run = functools.partial(run_batch, call, work_item.loops, clock, idle_delay, bodies)
        with nullcontext() if left is None or work_item.job != "body" else left.first_call():
            reading = watched(run) if _has_a_process_to_itself(work_item) else run()
        answer = Answer("reading", replace(reading, by_index=reading.by_index or input_by_index))
    except BaseException as error:  # pytest's outcomes and SystemExit are the body's answer too
        answer = raised(error)
    finally:
        with at_work_lock:
            del at_work[part]
    return Report(answer, arrived, CLOCKS.wall(), origin, begun, UsedCpu.now())


def _leftovers_of(work_item: WorkItem) -> Leftovers | None:
    """Return what looks for leftovers here; None in the process and interpreter of the test, which does so itself."""
    alone = os.getpid() != work_item.home
    if not alone and work_item.key in here:
        return None
    if work_item.key not in _leftovers:
        _leftovers.clear()  # one body at a time
        inside = f"a worker of {work_item.backend}" if alone else "a worker's interpreter"
        _leftovers[work_item.key] = Leftovers(inside=inside, children=alone)
    return _leftovers[work_item.key]


def _has_a_process_to_itself(work_item: WorkItem) -> bool:
    """Whether this is no thread of a pool: then whatever else computes in this process does so for the body."""
    return os.getpid() != work_item.home and threading.current_thread() is threading.main_thread()


def _idle() -> None:
    """What a worker does to show that it is there."""


def _known(work_item: WorkItem) -> Known | Answer | None:
    known = here.get(work_item.key) or _unpacked.get(work_item.key)
    if known is not None or work_item.packed is None:
        return known
    sys.path.extend(folder for folder in work_item.path if folder not in sys.path)
    context = copy_context()
    try:
        take_surroundings(work_item.state)
        jobs = unpack(work_item.packed, work_item.modules)
        context.run(take_context_variables, work_item.state)
    except BaseException as error:
        found = raised(error)
        return Answer("lost", error=found.error, text=found.text)
    _unpacked.clear()  # one body at a time
    _unpacked[work_item.key] = Known(jobs, context)
    return _unpacked[work_item.key]


def overlapping(reports: Sequence[Report]) -> int:
    """Return how many workers there were: one that had two work items ran them one after the other."""
    return len({report.origin for report in reports})


def left_behind(reports: Sequence[Report]) -> tuple[Leftover, ...]:
    """Return what workers say that the body has left running, with that of each process or interpreter once."""
    answers = {(report.origin.process, report.origin.interpreter): report.answer for report in reports}
    return merged(leftover for answer in answers.values() if answer is not None for leftover in answer.left)


def stack_location() -> Origin:
    """Return where the calling thread lives."""
    return Origin(_host(), os.getpid(), _interpreter(), threading.get_ident(), _cpus(), threading.get_native_id())


# Every work item asks, and reading them anew would take longer than the rest of its way.
_cpus = functools.cache(usable_cpus)


@functools.cache
def _host() -> str:
    try:
        # Containers of one machine share its clock, whatever they are called.
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return platform.node()


def _interpreter() -> int:
    if sys.version_info >= (3, 13):
        import _interpreters

        return int(_interpreters.get_current()[0])
    return 0


class _Clock(ThreadClock):
    """Ends with its thread, as no one tells a pool's thread that it was the last batch."""

    __slots__ = ()

    def __del__(self) -> None:
        self.close()


def _clock() -> ThreadClock:
    if not hasattr(_mine, "clock"):
        _mine.clock = _Clock()
    clock: ThreadClock = _mine.clock
    return clock
