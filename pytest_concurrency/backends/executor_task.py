"""Code that runs inside a worker of an executor: its part of one batch, begun at the common start time."""

from __future__ import annotations

import functools
import os
import platform
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
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
    exception_of,
    raised,
    take_context_variables,
    take_surroundings,
    unpack,
)
from pytest_concurrency.core.leftovers import Leftover, merged
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.cpus import usable_cpus
from pytest_concurrency.machine.full_collections import FULL_COLLECTIONS
from pytest_concurrency.probes.helper_threads import UsedCpu, watched
from pytest_concurrency.probes.leftovers import Leftovers
from pytest_concurrency.probes.thread_clock import ThreadClock

Jobs = Mapping[str, Callable[[], Any]]


class Known(NamedTuple):
    """A body's jobs, and the context to run them in.

    The body sees the context variables that fixtures have set. What the body sets does not reach the test.
    """

    jobs: Jobs
    context: Context


# Bodies of the worker groups of this process and interpreter, which are not pickled.
here: dict[str, Known] = {}
_unpacked: dict[str, Known] = {}
_leftovers: dict[str, Leftovers] = {}  # of bodies whose workers are in another process or interpreter than the test
_mine = threading.local()

# The thread of this interpreter that runs each worker's part: {(key of the group, index): ident}.
at_work: dict[tuple[str, int], int] = {}
# While this lock is held, no thread ends its part. Without it, ExecutorWorkers.close() could interrupt a thread whose
# part has just ended, and so whatever the pool's thread does next.
at_work_lock: threading.Lock = threading.Lock()

# What bodies of ``here`` have raised, by the key of the group and the worker's index: without it, an exception that
# cannot be pickled would be lost, although it never left this process.
raised_here: dict[tuple[str, int], BaseException] = {}


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One worker's part of one batch."""

    key: str  # of the worker group
    job: str
    loops: int
    index: int
    count: int
    backend: str
    start_at: float  # common start time, on the clock of the session's host
    offsets: Mapping[str, float]  # seconds by which the clock of each known host is ahead of that
    home: int  # process ID of the session
    packed: bytes | None = None
    state: bytes = b""
    modules: Modules = field(default_factory=dict)
    path: tuple[str, ...] = ()
    turns: int = 1  # how many workers' parts this one runs, one after the other
    helpers_delay: bool = False  # whether the run delay of its helpers is read


@dataclass(frozen=True, slots=True)
class Origin:
    """The host, process, interpreter and thread of a worker."""

    host: str
    process: int
    interpreter: int
    thread: int
    cpus: float
    native_id: int  # of the thread (threading.get_native_id)


@dataclass(frozen=True, slots=True)
class Report:
    """A worker's answer, with the times at which it had its input and was done, on its host's clock."""

    answer: Answer | None  # None: this worker needs the serialized body
    arrived: float
    done: float
    origin: Origin
    begun: UsedCpu  # CPU time of its process when the worker had its input
    ended: UsedCpu


def work(work_item: WorkItem) -> Report:
    """Run one work item. An exception of the body is returned in the report."""
    known = _known(work_item)
    origin = stack_location()
    arrived, begun = CLOCKS.wall(), UsedCpu.now()
    if known is None:
        return Report(None, arrived, arrived, origin, begun, begun)
    if isinstance(known, Answer):
        return Report(known, arrived, arrived, origin, begun, begun)
    # Without the copy, two threads could not run parts at the same time: a context can be entered only once.
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
            if _has_a_process_to_itself(work_item):
                with FULL_COLLECTIONS.postponed():
                    reading = watched(run, work_item.helpers_delay)
                FULL_COLLECTIONS.catch_up()
            else:
                reading = run()
        answer = Answer("reading", replace(reading, by_index=reading.by_index or input_by_index))
    except BaseException as error:  # pytest's outcomes and SystemExit are the body's answer too
        answer = raised(error)
        if work_item.key in here:
            raised_here[part] = error
    finally:
        with at_work_lock:
            at_work.pop(part, None)  # an executor may run a part twice
    return Report(answer, arrived, CLOCKS.wall(), origin, begun, UsedCpu.now())


def _leftovers_of(work_item: WorkItem) -> Leftovers | None:
    """Return the detector of leftovers here; None in the test's process and interpreter, which has its own."""
    alone = os.getpid() != work_item.home
    if not alone and work_item.key in here:
        return None
    if work_item.key not in _leftovers:
        _leftovers.clear()  # only those of the latest body are kept
        inside = f"a worker of {work_item.backend}" if alone else "a worker's interpreter"
        _leftovers[work_item.key] = Leftovers(inside=inside, children=alone)
    return _leftovers[work_item.key]


def _has_a_process_to_itself(work_item: WorkItem) -> bool:
    """Whether this is the main thread of a worker process: then all other work in the process is the body's."""
    return os.getpid() != work_item.home and threading.current_thread() is threading.main_thread()


def _idle() -> None:
    """Do nothing: the job which only shows that a worker runs."""


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
    _unpacked.clear()  # only the latest body is kept
    known = _unpacked[work_item.key] = Known(jobs, context)
    return known


def forget(key: str) -> None:
    """Forget the body of a worker group in this process, and what it has raised."""
    here.pop(key, None)
    for part in [part for part in raised_here if part[0] == key]:
        raised_here.pop(part, None)


def errors_in(key: str, reports: Mapping[int, Report]) -> dict[int, BaseException]:
    """Return what the body has raised, by the index of each worker: the exception itself if it is of this process."""
    here = {part[1]: raised_here.pop(part) for part in list(raised_here) if part[0] == key}
    answers = {index: report.answer for index, report in reports.items()}
    return {
        index: here[index] if index in here else exception_of(answer)
        for index, answer in answers.items()
        if answer is not None and answer.kind == "raised"
    }


def stamp(received: dict[int, float], index: int, future: Future[Report]) -> None:
    """Note when the answer of a worker has arrived: a callback of its future."""
    received[index] = CLOCKS.wall()


def overlapping(reports: Sequence[Report]) -> int:
    """Return how many workers ran at the same time: a worker with two work items ran them one after the other."""
    return len({report.origin for report in reports})


def left_behind(reports: Sequence[Report]) -> tuple[Leftover, ...]:
    """Return what the body has left running in the workers; each process or interpreter is counted once."""
    answers = {(report.origin.process, report.origin.interpreter): report.answer for report in reports}
    return merged(leftover for answer in answers.values() if answer is not None for leftover in answer.left)


def stack_location() -> Origin:
    """Return the host, process, interpreter and thread of the caller."""
    return Origin(_host(), os.getpid(), _interpreter(), threading.get_ident(), _cpus(), threading.get_native_id())


# Without the cache, reading the usable CPUs for each work item would take longer than the rest of its transfer.
_cpus = functools.cache(usable_cpus)


@functools.cache
def _host() -> str:
    try:
        # Containers of one machine share its clock even if their host names differ, so the boot ID identifies the host.
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
    """Closes itself when its thread ends, because a pool's thread is not notified of its last batch."""

    __slots__ = ()

    def __del__(self) -> None:
        self.close()


def _clock() -> ThreadClock:
    if not hasattr(_mine, "clock"):
        _mine.clock = _Clock()
    clock: ThreadClock = _mine.clock
    return clock
