"""What every worker of every backend does with a batch, and who it is while doing so."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from types import CoroutineType
from typing import Any

from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.core.model import Body, Reading
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes.thread_clock import ThreadClock

__tracebackhide__ = True  # pytest shows a failure at the line of the test

LEFT_BEHIND = "left behind"  # the job that says what the body has left running
SAYING_SO = 10.0  # seconds that workers get for it


@dataclass(frozen=True, slots=True)
class Worker:
    """Which worker runs the body: ``index`` counts from 0 to ``count`` - 1."""

    index: int
    count: int
    backend: str


# Outside of any backend the body runs once, alone, in the test's own thread.
ALONE = Worker(index=0, count=1, backend="serial")
current_worker: ContextVar[Worker] = ContextVar("pytest_concurrency_worker", default=ALONE)


@dataclass(frozen=True, slots=True)
class WorkerFolder:
    """Below a folder, one for each worker; made when it is asked for, by the worker that asks."""

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


# The workers whose body has asked for its index since their batch began.
_asked_index: set[Worker] = set()


def index_of_worker() -> int:
    """Return the index of the worker that asks, and note that it has asked: its body is one of its own."""
    worker = current_worker.get()
    _asked_index.add(worker)
    return worker.index


def forget_index(*workers: Worker) -> None:
    """Begin a batch of these workers: none of them has asked for its index."""
    _asked_index.difference_update(workers)


def asked_index(*workers: Worker) -> bool:
    """Whether the body has asked for its index in one of these workers since their batch began."""
    return not _asked_index.isdisjoint(workers)


def bodies_of(index: int, count: int, backend: str, turns: int) -> tuple[Worker, ...]:
    """Return the workers whose bodies one worker runs in its batch.

    Its own; or those of ``turns`` workers one after the other, if these are more than one.
    """
    if turns > 1:
        return tuple(Worker(each, turns, backend) for each in range(turns))
    return (Worker(index, count, backend),)


# What a body's ``setup=`` made for this batch, of each worker in this process.
_inputs: dict[tuple[str, int], Any] = {}


def current_input() -> Any:
    """What ``setup=`` has made for the worker that asks; None without one."""
    worker = current_worker.get()
    return _inputs.get((worker.backend, worker.index))


def prepare_input(prepare: Callable[[], Any]) -> None:
    """Make fresh input for the worker that runs this."""
    worker = current_worker.get()
    _inputs.pop((worker.backend, worker.index), None)  # two of them at a time may be too much memory
    _inputs[worker.backend, worker.index] = prepare()


def prepare_inputs_of_tasks(prepare: Callable[[], Any], workers: Sequence[Worker]) -> None:
    """Make fresh input for each of some tasks, one after the other: they share a thread."""
    for worker in workers:
        current_worker.set(worker)
        prepare_input(prepare)


@dataclass(frozen=True, slots=True)
class WithInput:
    """A function that gets the fresh input as its first argument."""

    function: Callable[..., Any]

    def __call__(self, *args: Any) -> Any:
        return self.function(current_input(), *args)


def forget_inputs() -> None:
    """Let go of what was made for batches that are over."""
    _inputs.clear()


def jobs_of(body: Body) -> dict[str, Callable[[], Any]]:
    """What workers can be told to do."""
    jobs: dict[str, Callable[[], Any]] = {"body": body.call, "control": control_body}
    if body.prepare is not None:
        jobs["prepare"] = functools.partial(prepare_input, body.prepare)
    return jobs


def run_batch(
    call: Callable[[], Any], loops: int, clock: ThreadClock, idle_delay: float | None, bodies: Sequence[Worker]
) -> Reading:
    """Call the body ``loops`` times between two stamps, as each of some workers.

    :raises BadArgument: it returns coroutines instead of doing its work.
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
    refuse_coroutine(answer)
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
    refuse_coroutine(answer)
    return replace(reading, by_index=True, each=tuple(time / loops for time in seconds))


async def await_as(call: Callable[[], Awaitable[Any]], loops: int, bodies: Sequence[Worker]) -> tuple[float, ...]:
    """Await an ``async def`` body ``loops`` times, as each of some workers.

    Return what one body of each took, in seconds, if these are several.
    """
    current_worker.set(bodies[0])
    if len(bodies) == 1:
        for _ in repeat(None, loops):
            await call()
        return ()
    seconds = [0.0] * len(bodies)
    before = CLOCKS.wall()
    for _ in repeat(None, loops):
        for worker in bodies:
            current_worker.set(worker)
            await call()
            now = CLOCKS.wall()
            seconds[worker.index] += now - before
            before = now
    return tuple(time / loops for time in seconds)


def refuse_coroutine(answer: object) -> None:
    """See to it that a call has done its work.

    :raises BadArgument: it has returned a coroutine, and nothing has run.
    """
    if isinstance(answer, CoroutineType):
        answer.close()
        raise BadArgument(
            f"{answer.__qualname__}() returned a coroutine, which no one awaits, so that nothing was measured. "
            "Give the async def itself, or call asyncio.run() in the function."
        )


_BLOCK = bytes(1 << 16)


def control_body() -> None:
    """Computing that is known to run in parallel, in threads too: hashing releases the GIL.

    About a third of a millisecond. If several workers cannot overlap *this*, the machine is not
    giving them their CPUs at the moment, whatever the body does. SHA-3 slows down much as the interpreter does where
    two hardware threads share a core; SHA-256, for which processors have instructions, would show nothing of that.
    """
    for _ in repeat(None, 2):
        hashlib.sha3_256(_BLOCK).digest()


def used_up(loops: int) -> str:
    """What may be wrong where a body raises that is called ``loops`` times with one input of setup=."""
    return (
        f"setup= makes an input for each batch, in which each worker calls the body {loops} times here. "
        "If the body uses its input up, or changes it, let it work on a copy."
    )
