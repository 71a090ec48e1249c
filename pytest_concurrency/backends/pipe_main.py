"""Main loop of a worker at the end of a pipe: it answers batches until it is asked to stop."""

from __future__ import annotations

import contextlib
import functools
import operator
import pickle
from collections.abc import Callable, Mapping
from dataclasses import fields
from multiprocessing.connection import Connection
from typing import Any

from pytest_concurrency.backends import framing
from pytest_concurrency.backends.batch import LEFT_BEHIND, bodies_of, run_batch
from pytest_concurrency.backends.serialization import (
    Answer,
    Modules,
    raised,
    take_context_variables,
    take_surroundings,
    take_warning_filters,
    unpack,
)
from pytest_concurrency.core.model import Reading
from pytest_concurrency.machine.full_collections import FULL_COLLECTIONS
from pytest_concurrency.probes.helper_threads import UsedCpu
from pytest_concurrency.probes.leftovers import Leftovers
from pytest_concurrency.probes.thread_clock import ThreadClock

Jobs = Mapping[str, Callable[[], Any]]
Look = Callable[[Callable[[], Reading], bool], Reading]

_FIELDS = tuple(field.name for field in fields(Reading))
_values = operator.attrgetter(*_FIELDS)


def load(connection: Connection, packed: bytes, modules: Modules, state: bytes) -> Jobs | None:
    """Return the body's jobs; None if the body cannot be loaded here, after the error was sent to the session."""
    try:
        take_surroundings(state)
        jobs = unpack(packed, modules)
        take_warning_filters(state)
        take_context_variables(state)
    except BaseException as error:
        framing.send(connection, pickle.dumps(raised(error)))
        return None
    return jobs


def serve(connection: Connection, jobs: Jobs, index: int, backend: str, look: Look, own_process: bool = False) -> None:
    """Answer batches.

    :param look: runs one batch, and counts the work that other threads and children of the process do for it; its
        second argument is whether it reads their run delay, too.
    :param own_process: whether all CPU time of this process is the worker's.
    :raises EOFError, OSError: the pipe is closed or broken, so no further batch can arrive.
    """
    no_memory = pickle.dumps(Answer("raised", error=pickle.dumps(MemoryError()), text="MemoryError"))
    inside = "a worker process" if own_process else "a worker's interpreter"
    leftovers = Leftovers(inside=inside, children=own_process)
    framing.send(connection, pickle.dumps(Answer("ready")))
    clock = ThreadClock()
    try:
        while True:
            idle_delay = clock.delay()
            task = connection.recv()
            if task is None:
                return
            job, loops, workers, turns, helpers_delay = task
            if job == LEFT_BEHIND:
                framing.send(connection, pickle.dumps(Answer("left", left=leftovers.found())))
                continue
            bodies = bodies_of(index, workers, backend, turns)
            try:
                record = leftovers.first_call() if job == "body" else contextlib.nullcontext()
                with record, FULL_COLLECTIONS.postponed():
                    run = functools.partial(run_batch, jobs[job], loops, clock, idle_delay, bodies)
                    reading = look(run, helpers_delay)
                FULL_COLLECTIONS.catch_up()
                message = _packed(reading, UsedCpu.now().total if own_process else 0.0)
            except BaseException as error:  # pytest's outcomes and SystemExit are the body's answer too
                try:
                    message = pickle.dumps(raised(error))
                except MemoryError:
                    message = no_memory
            framing.send(connection, message)
    finally:
        clock.close()


def _packed(reading: Reading, used: float) -> bytes:
    """Pickle a reading as a tuple: each batch sends one, and a dataclass is slower to pickle."""
    return pickle.dumps((*_values(reading), used), protocol=5)


def answer_in(message: bytes) -> object:
    """Return the :class:`Answer` in a message, or any other object that the message contains."""
    value = pickle.loads(message)
    if type(value) is tuple and len(value) == len(_FIELDS) + 1:
        *reading, used = value
        return Answer("reading", Reading(*reading), used=used)
    return value
