"""Worker processes, made once per test and kept."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol

from pytest_concurrency.backends import places, process_worker
from pytest_concurrency.backends.base import Hung, Raised
from pytest_concurrency.backends.job import jobs_of
from pytest_concurrency.backends.process_worker import Errand
from pytest_concurrency.backends.travel import Answer, exception_of, pack, session_modules
from pytest_concurrency.clocks import CLOCKS
from pytest_concurrency.errors import CannotMeasure, WorkerLost
from pytest_concurrency.model import Body, Reading, Sample

START_METHODS = ("auto", "fork", "forkserver", "spawn")
_START = 60.0  # seconds that a worker gets to import the test's modules
_PLACE = re.compile(r'^ *File "(.+)", line (\d+) in (.+)$', re.MULTILINE)
_GOODBYE = 0.5  # seconds between asking, terminating and killing


class _Starter(Protocol):
    """A multiprocessing context, as far as it is used here."""

    def Process(self, *, target: Callable[..., object], args: tuple[object, ...], name: str) -> BaseProcess: ...  # noqa: N802
    def Pipe(self, duplex: bool = True) -> tuple[Connection, Connection]: ...  # noqa: N802


def choose_start_method(wanted: str, body: Body) -> tuple[str, str]:
    """Return the start method and the reason for it, to be said in the record.

    ``fork`` needs no pickling, but copies whatever locks other threads hold at that moment: ``auto``
    takes it on Linux in a process of one thread only. Elsewhere it takes ``forkserver`` or ``spawn``.

    :raises CannotMeasure: the platform does not know the method that was asked for.
    """
    known = multiprocessing.get_all_start_methods()
    if wanted != "auto":
        if wanted not in known:
            raise CannotMeasure(f"start method {wanted!r} is not available here; this platform has {', '.join(known)}")
        return wanted, "asked for"
    safe = "forkserver" if "forkserver" in known else "spawn"
    if sys.platform == "linux" and "fork" in known:
        threads = _threads_alive()
        if threads == 1:
            return "fork", "the test process has one thread"
        return safe, f"the test process has {threads} threads, so forking it is not safe"
    return safe, "forking is not safe on this platform"


def _threads_alive() -> int:
    """Count all threads of this process, those that Python did not start too."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        import threading

        return threading.active_count()


class ProcessCrew:
    """Processes that each wait at a pipe for the size of their next batch."""

    one_interpreter = False
    one_process = False
    cpus = None

    def __init__(self, body: Body, count: int, start_method: str, root: Path) -> None:
        method, why = choose_start_method(start_method, body)
        self.note = f"start method {method}: {why}"
        self._processes: list[BaseProcess] = []
        self._pipes: list[Connection] = []
        self._resources = contextlib.ExitStack()
        folder = self._resources.enter_context(tempfile.TemporaryDirectory(prefix="pytest-concurrency-"))
        self._stack_files = [Path(folder, f"worker-{index}.txt") for index in range(count)]
        starter: _Starter = multiprocessing.get_context(method)  # type: ignore[assignment]
        try:
            packed = b"" if method == "fork" else pack(body)
            modules = {} if method == "fork" else session_modules(root)
            for index in range(count):
                ours, theirs = starter.Pipe()
                self._pipes.append(ours)
                errand = Errand(
                    index=index,
                    stack_file=str(self._stack_files[index]),
                    jobs=jobs_of(body) if method == "fork" else None,
                    packed=packed,
                    modules=modules,
                    inherited=tuple(self._pipes) if method == "fork" else (),
                )
                process = starter.Process(
                    target=process_worker.main, args=(theirs, errand), name=f"concurrency-processes-{index}"
                )
                process.start()
                self._processes.append(process)
                theirs.close()
            for index, answer in enumerate(self._answers(count, _START)):
                if answer.kind == "raised":
                    raise WorkerLost(
                        f"worker process {index + 1} could not load {body.label} ({self.note}). In the worker:\n"
                        f"{answer.text}"
                    )
        except BaseException:
            self.close()
            raise

    def run(self, workers: int, loops: int, deadline: float, job: str = "body") -> Sample:
        """Run one batch on the first ``workers`` processes; ``deadline`` is in seconds."""
        for index in range(workers):
            try:
                self._pipes[index].send((job, loops, workers))
            except OSError:
                raise WorkerLost(self._obituary(index, workers)) from None
        readings: list[Reading] = []
        for index, answer in enumerate(self._answers(workers, deadline)):
            if answer.kind == "raised":
                raise Raised(exception_of(answer), "processes", index, workers)
            assert answer.reading is not None
            readings.append(answer.reading)
        return Sample(loops, tuple(readings))

    def close(self) -> None:
        """Ask, then terminate, then kill: no worker is left, whatever the body is doing."""
        for pipe in self._pipes:
            with contextlib.suppress(OSError):
                pipe.send(None)
            pipe.close()
        for end in ("join", "terminate", "kill"):
            alive = [process for process in self._processes if process.is_alive()]
            for process in alive:
                if end != "join":
                    getattr(process, end)()
            limit = CLOCKS.wall() + _GOODBYE
            for process in alive:
                process.join(max(0.0, limit - CLOCKS.wall()))
        for process in self._processes:
            with contextlib.suppress(ValueError):
                process.close()
        self._processes, self._pipes = [], []
        self._resources.close()

    def _answers(self, workers: int, deadline: float) -> list[Answer]:
        """Return one answer per worker, or raise as soon as one can no longer come."""
        end = CLOCKS.wall() + deadline
        answers: dict[int, Answer] = {}
        while len(answers) < workers:
            missing = [index for index in range(workers) if index not in answers]
            ready = wait([self._pipes[index] for index in missing], timeout=max(0.0, end - CLOCKS.wall()))
            if not ready:
                raise Hung("processes", workers, deadline, self._whereabouts(workers, answers))
            for index in missing:
                if self._pipes[index] in ready:
                    answers[index] = self._receive(index, workers)
        return [answers[index] for index in range(workers)]

    def _receive(self, index: int, workers: int) -> Answer:
        try:
            answer = self._pipes[index].recv()
        except (EOFError, ConnectionError):
            raise WorkerLost(self._obituary(index, workers)) from None
        except Exception as error:
            answer = error
        if not isinstance(answer, Answer):
            raise WorkerLost(
                f"processes: worker {index + 1} of {workers} sent something that is not an answer ({answer!r:.200}). "
                "Does the body write to file descriptors that it did not open?"
            )
        return answer

    def _obituary(self, index: int, workers: int) -> str:
        process = self._processes[index]
        process.join(_GOODBYE)
        code = process.exitcode
        if code is None:
            how = "closed its pipe"
        elif code < 0:
            try:
                how = f"was killed by {signal.Signals(-code).name}"
            except ValueError:
                how = f"was killed by signal {-code}"
        else:
            how = f"exited with status {code}"
        return (
            f"processes: worker {index + 1} of {workers} {how} while it ran the body. "
            "Look for os._exit, a crash in native code, or a memory limit."
        )

    def _whereabouts(self, workers: int, answers: dict[int, Answer]) -> list[str]:
        if hasattr(signal, "SIGUSR1"):
            for index in set(range(workers)) - set(answers):
                with contextlib.suppress(OSError):
                    os.kill(self._processes[index].pid or 0, signal.SIGUSR1)
            CLOCKS.sleep(0.2)
        return ["finished" if index in answers else _place(self._stack_files[index]) for index in range(workers)]


def _place(stack_file: Path) -> str:
    """Return the place of the main thread, which runs the body, in a dump of faulthandler (innermost first)."""
    with contextlib.suppress(OSError):
        text = stack_file.read_text(errors="replace")
        # The handler ran in the main thread; the body's own threads are told before it.
        _, _, current = text.rpartition("Current thread ")
        return places.describe((file, int(line), function) for file, line, function in _PLACE.findall(current))
    return "not readable here"
