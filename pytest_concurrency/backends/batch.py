"""How a worker of any back-end runs a batch, and ``current_worker``, the context variable that identifies it."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Any

from pytest_concurrency.backends.lazy_results import refuse_lazy
from pytest_concurrency.core.model import Body, Reading
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes.thread_clock import ThreadClock

__tracebackhide__ = True  # pytest shows a failure at the line of the test

LEFT_BEHIND = "left behind"  # the job that returns what the body has left running
SAYING_SO = 10.0  # seconds that workers get to answer this job


@dataclass(frozen=True, slots=True)
class Worker:
    """Which worker runs the body: ``index`` counts from 0 to ``count`` - 1."""

    index: int
    count: int
    backend: str


# Outside of a back-end the body runs once, in the test's own thread.
ALONE = Worker(index=0, count=1, backend="serial")
current_worker: ContextVar[Worker] = ContextVar("pytest_concurrency_worker", default=ALONE)


@dataclass(frozen=True, slots=True)
class WorkerFolder:
    """A subfolder for each worker, which the worker creates when it first uses the path."""

    base: Path

    @property
    def path(self) -> Path:
        worker = current_worker.get()
        path = self.base / f"{worker.backend}-{worker.index}"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def __truediv__(self, name: str | os.PathLike[str]) -> Path:
        return self.path / name

    def __fspath__(self) -> str:
        return str(self.path)


# The workers whose body has read its index since their batch began.
_asked_index: set[Worker] = set()


def index_of_worker() -> int:
    """Return the index of the calling worker, and record that its body depends on the index."""
    worker = current_worker.get()
    _asked_index.add(worker)
    return worker.index


def forget_index(*workers: Worker) -> None:
    """Forget, at the start of a batch, that these workers have read their index."""
    _asked_index.difference_update(workers)


def asked_index(*workers: Worker) -> bool:
    """Whether the body has read its index in one of these workers since their batch began."""
    return not _asked_index.isdisjoint(workers)


def bodies_of(index: int, count: int, backend: str, turns: int) -> tuple[Worker, ...]:
    """Return the workers whose bodies one worker runs in its batch.

    This is only the worker itself, or ``turns`` workers one after the other if ``turns`` is more than 1.
    """
    if turns > 1:
        return tuple(Worker(each, turns, backend) for each in range(turns))
    return (Worker(index, count, backend),)


# The input that ``setup=`` made for this batch, for each worker in this process: {(back-end, index): input}.
_inputs: dict[tuple[str, int], Any] = {}


def current_input() -> Any:
    """Return the input that ``setup=`` has made for the calling worker; None without ``setup=``."""
    worker = current_worker.get()
    return _inputs.get((worker.backend, worker.index))


def prepare_input(prepare: Callable[[], Any]) -> None:
    """Make new input for the calling worker."""
    worker = current_worker.get()
    _inputs.pop((worker.backend, worker.index), None)  # two inputs at the same time may need too much memory
    _inputs[worker.backend, worker.index] = prepare()


def prepare_inputs_of_tasks(prepare: Callable[[], Any], workers: Sequence[Worker]) -> None:
    """Make new input for each task, one after the other, because tasks share a thread."""
    for worker in workers:
        current_worker.set(worker)
        prepare_input(prepare)


@dataclass(frozen=True, slots=True)
class WithInput:
    """Calls a function with the worker's current input as its first argument."""

    function: Callable[..., Any]

    def __call__(self, *args: Any) -> Any:
        return self.function(current_input(), *args)


def forget_inputs() -> None:
    """Release the inputs of finished batches."""
    _inputs.clear()


def jobs_of(body: Body) -> dict[str, Callable[[], Any]]:
    """Return the jobs that a worker can run: the body, the reference workload, and ``setup=`` if there is one."""
    jobs: dict[str, Callable[[], Any]] = {"body": body.call, "control": control_body}
    if body.prepare is not None:
        jobs["prepare"] = functools.partial(prepare_input, body.prepare)
    return jobs


def run_batch(
    call: Callable[[], Any], loops: int, clock: ThreadClock, idle_delay: float | None, bodies: Sequence[Worker]
) -> Reading:
    """Call the body ``loops`` times for each worker in ``bodies``, between two clock readings.

    :raises BadArgument: the body returns a coroutine, or the like, instead of doing its work.
    """
    answer = None
    forget_index(*bodies)
    current_worker.set(bodies[0])
    if len(bodies) > 1:
        return _run_in_turn(call, loops, clock, idle_delay, bodies)
    begun = clock.begin()
    for _ in repeat(None, loops):
        answer = call()
    reading = clock.finish(begun, idle_delay)
    refuse_lazy(answer, reading.wall / loops)
    return replace(reading, by_index=True) if asked_index(*bodies) else reading


def _run_in_turn(
    call: Callable[[], Any], loops: int, clock: ThreadClock, idle_delay: float | None, bodies: Sequence[Worker]
) -> Reading:
    answer = None
    seconds = [0.0] * len(bodies)
    begun = clock.begin()
    before = CLOCKS.wall()
    for _ in repeat(None, loops):
        for worker in bodies:
            current_worker.set(worker)
            answer = call()
            now = CLOCKS.wall()
            seconds[worker.index] += now - before
            before = now
    reading = clock.finish(begun, idle_delay)
    refuse_lazy(answer, min(seconds) / loops)
    return replace(reading, by_index=True, each=tuple(time / loops for time in seconds))


async def await_as(call: Callable[[], Awaitable[Any]], loops: int, bodies: Sequence[Worker]) -> tuple[float, ...]:
    """Await an ``async def`` body ``loops`` times for each worker in ``bodies``.

    Return the mean seconds per call of each worker if there are several; otherwise an empty tuple.

    :raises BadArgument: the body returns a coroutine, or the like, instead of doing its work.
    """
    current_worker.set(bodies[0])
    answer: object = None
    before = CLOCKS.wall()
    if len(bodies) == 1:
        for _ in repeat(None, loops):
            answer = await call()
        refuse_lazy(answer, (CLOCKS.wall() - before) / loops)
        return ()
    seconds = [0.0] * len(bodies)
    for _ in repeat(None, loops):
        for worker in bodies:
            current_worker.set(worker)
            answer = await call()
            now = CLOCKS.wall()
            seconds[worker.index] += now - before
            before = now
    refuse_lazy(answer, min(seconds) / loops)
    return tuple(time / loops for time in seconds)


_BLOCK = bytes(1 << 16)


def control_body() -> None:
    """Reference workload: a computation that runs in parallel even in threads, because hashing releases the GIL.

    It takes about a third of a millisecond. If several workers cannot run *this* in parallel, the machine does not give
    them their CPUs at the moment, whatever the body does. SHA-3 slows down about as much as the interpreter where two
    hardware threads share a core; SHA-256, for which processors have instructions, would not show that.
    """
    for _ in repeat(None, 2):
        hashlib.sha3_256(_BLOCK).digest()


def used_up(loops: int) -> str:
    """Return a hint for a body that raises when it is called ``loops`` times with one input of ``setup=``."""
    return (
        f"setup= makes an input for each batch, in which each worker calls the body {loops} times here. "
        "If the body uses its input up, or changes it, let it work on a copy."
    )
