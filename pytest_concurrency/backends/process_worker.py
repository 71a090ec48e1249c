"""What runs inside a worker process: unpack the body, then answer batches until told to stop."""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import pickle
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from pytest_concurrency.backends import process_pipe
from pytest_concurrency.backends.job import Worker, current_worker, run_batch
from pytest_concurrency.backends.travel import Answer, Modules, filter_warnings, raised, unpack
from pytest_concurrency.model import Reading
from pytest_concurrency.probes.helpers import watched
from pytest_concurrency.probes.thread_state import ThreadClock


@dataclass(frozen=True, slots=True)
class Errand:
    """All that a worker process needs to start. ``jobs`` is set under fork, ``packed`` elsewhere."""

    index: int
    stack_file: str
    jobs: Mapping[str, Callable[[], Any]] | None = None
    packed: bytes = b""
    modules: Modules = field(default_factory=dict)
    warning_filters: bytes = b""
    # Ends of other workers' pipes that fork would keep open, so that they never see the end of file.
    inherited: tuple[Connection, ...] = ()


def main(connection: Connection, errand: Errand) -> None:
    """Serve one pipe; a closed pipe is the order to end, so that no worker outlives its session."""
    with contextlib.suppress(ValueError, AttributeError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the session's to handle
    for other in errand.inherited:
        other.close()
    with contextlib.ExitStack() as stack, contextlib.suppress(EOFError, OSError):  # a pipe that is closed, or lost
        _tell_where_on_request(stack, errand.stack_file)
        no_memory = pickle.dumps(Answer("raised", error=pickle.dumps(MemoryError()), text="MemoryError"))
        try:
            jobs = errand.jobs or unpack(errand.packed, errand.modules)
            if errand.warning_filters:
                filter_warnings(errand.warning_filters)
        except BaseException as error:
            process_pipe.send(connection, pickle.dumps(raised(error)))
            return
        process_pipe.send(connection, pickle.dumps(Answer("ready")))
        clock = stack.enter_context(contextlib.closing(ThreadClock()))
        while True:
            idle_delay = clock.delay()
            task = connection.recv()
            if task is None:
                return
            job, loops, workers = task
            current_worker.set(Worker(errand.index, workers, "processes"))
            try:
                message = pack_reading(watched(functools.partial(run_batch, jobs[job], loops, clock, idle_delay)))
            except BaseException as error:  # pytest's outcomes and SystemExit are the body's answer too
                try:
                    message = pickle.dumps(raised(error))
                except MemoryError:
                    message = no_memory
            process_pipe.send(connection, message)


def pack_reading(reading: Reading) -> bytes:
    """Every batch has its readings, and dataclasses are slow to pickle."""
    return pickle.dumps(
        (
            reading.start,
            reading.end,
            reading.cpu,
            reading.delay,
            reading.late,
            reading.switches,
            reading.party,
        ),
        protocol=5,
    )


def answer_in(message: bytes) -> object:
    """Return the :class:`Answer` in a message, or whatever else is in there."""
    value = pickle.loads(message)
    return Answer("reading", Reading(*value)) if type(value) is tuple and len(value) == 7 else value


def _tell_where_on_request(stack: contextlib.ExitStack, path: str) -> None:
    """Let a signal, or a crash, write to a file where the body stands; a crash without that tells nothing."""
    try:
        file = stack.enter_context(open(path, "w"))  # noqa: SIM115
    except OSError:
        return
    faulthandler.enable(file)
    stack.callback(faulthandler.disable)
    if hasattr(signal, "SIGUSR1") and hasattr(faulthandler, "register"):
        faulthandler.register(signal.SIGUSR1, file=file, all_threads=True)
        stack.callback(faulthandler.unregister, signal.SIGUSR1)
