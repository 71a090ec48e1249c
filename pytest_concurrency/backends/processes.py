"""Back-end of worker processes, which are started once per test and kept."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import signal
import tempfile
import warnings
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol

from pytest_concurrency.backends import process_main
from pytest_concurrency.backends.base import not_started
from pytest_concurrency.backends.batch import jobs_of
from pytest_concurrency.backends.fork_only import (
    refuse_shared_connections,
    refuse_what_only_fork_shares,
    shared_connection,
)
from pytest_concurrency.backends.pipe_group import CLOSES_FILES, PipeWorkers
from pytest_concurrency.backends.process_main import WorkItem
from pytest_concurrency.backends.serialization import Answer, Modules, pack, pack_state, place_of, session_modules
from pytest_concurrency.backends.start_methods import choose_start_method
from pytest_concurrency.core.errors import WorkerLost
from pytest_concurrency.core.model import Body
from pytest_concurrency.machine import stack_locations
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes import thread_clock
from pytest_concurrency.verdicts import worker_errors

__tracebackhide__ = True  # pytest shows a failure at the line of the test

_PLACE = re.compile(r'^ *File "(.+)", line (\d+) in (.+)$', re.MULTILINE)
_CLOSING = 0.5  # seconds between asking, terminating and killing
_CLOSING_IDLE = 5.0  # the same for workers that are known to be idle
_FIRST_PAUSE, _LONGEST_PAUSE = 0.0002, 0.01  # seconds between checks whether a process has ended
_CRASHES = ("SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGFPE", "SIGSYS", "SIGTRAP")
_CRASHED = "look for the error in native code that the body calls: an extension module, or ctypes."
_EXITED = (
    "look for os._exit, a library that ends the process, or code that closes all its files, in what the body calls."
)
_KILLED = "look for a memory limit (the system kills a process that exceeds it), or for what sends signals."


class _Starter(Protocol):
    """The part of a multiprocessing context that is used here."""

    def Process(self, *, target: Callable[..., object], args: tuple[object, ...], name: str) -> BaseProcess: ...  # noqa: N802
    def Pipe(self, duplex: bool = True) -> tuple[Connection, Connection]: ...  # noqa: N802


class ProcessWorkers(PipeWorkers):
    """Processes that each wait at a pipe for their next batch."""

    backend = "processes"
    note: str = ""
    one_process = False

    def __init__(self, body: Body, count: int, start_method: str, root: Path) -> None:
        super().__init__()
        thread_clock.require()
        method, why = choose_start_method(start_method)
        modules = {} if method == "fork" else session_modules(root)
        if start_method == "auto" and method == "fork":
            refuse_shared_connections(body, session_modules(root))
        if start_method == "auto" and method != "fork":
            refuse_what_only_fork_shares(body, modules, f"Workers would be started by {method}", why)
        self.note = f"start method {method}: {why}"
        if method == "fork" and (shared := shared_connection(body, session_modules(root))):
            self.note += f"; the workers share {shared}"
        self._processes: list[BaseProcess] = []
        self._resources = contextlib.ExitStack()
        packed = b"" if method == "fork" else pack(body, by_fork=True)
        state = b"" if method == "fork" else pack_state(environment=True)
        self._stack_files = self._make_stack_files(count)

        def start(index: int) -> None:
            self._start(body, index, count, method, packed, state, modules)

        def refusal(index: int, answer: Answer) -> Exception:
            who, place = f"worker process {index + 1}", place_of(body)
            return WorkerLost(worker_errors.not_loaded(who, body.label, answer.text, place, self.note))

        self._open(count, start, refusal)

    def close(self) -> None:
        """Ask the workers to end, then terminate, then kill them: none is left, whatever the body is doing."""
        self._dismiss()
        for end in ("join", "terminate", "kill"):
            alive = [process for process in self._processes if process.is_alive()]
            for process in alive:
                if end != "join":
                    getattr(process, end)()
            # Idle workers end when asked, but get more time: tools such as coverage may still write data.
            _await_end(alive, _CLOSING if self._lost or end != "join" else _CLOSING_IDLE)
        for process in self._processes:
            with contextlib.suppress(ValueError):
                process.close()
        self._processes = []
        self._resources.close()

    def _make_stack_files(self, count: int) -> list[Path]:
        """Return a file for each worker to write its stack to; without a writable folder, stacks are not reported."""
        try:
            folder = tempfile.mkdtemp(prefix="pytest-concurrency-")
        except OSError:
            return [Path(os.devnull, str(index)) for index in range(count)]  # no file can be created below it
        files = [Path(folder, f"worker-{index}.txt") for index in range(count)]
        self._resources.callback(_remove, files)
        return files

    def _start(
        self, body: Body, index: int, count: int, method: str, packed: bytes, state: bytes, modules: Modules
    ) -> None:
        starter: _Starter = multiprocessing.get_context(method)  # type: ignore[assignment]
        theirs: Connection | None = None
        try:
            ours, theirs = starter.Pipe()
            self._add(ours)
            work_item = WorkItem(
                index=index,
                stack_file=str(self._stack_files[index]),
                jobs=jobs_of(body) if method == "fork" else None,
                packed=packed,
                modules=modules,
                state=state,
                inherited=tuple(self._pipes) if method == "fork" else (),
            )
            process = starter.Process(
                target=process_main.main, args=(theirs, work_item), name=f"concurrency-processes-{index}"
            )
            with warnings.catch_warnings():
                # A process with threads is forked only on request, and the record says so: the warning is not needed.
                warnings.filterwarnings("ignore", r".*fork\(\)", DeprecationWarning)
                process.start()
            self._processes.append(process)
        except (OSError, EOFError, RuntimeError) as error:
            raise not_started(
                f"processes: worker {index + 1} of {count} could not be started.", error, self.note
            ) from None
        finally:
            if theirs is not None:
                theirs.close()

    @property
    def native_ids(self) -> list[int]:
        """Native ID of the main thread of each process, which equals the process ID."""
        return [process.pid for process in self._processes if process.pid]

    def _ended(self, index: int) -> bool:
        return _state(self._processes[index]) == "ended"

    def _removed(self, index: int, workers: int, when: str = "while it ran the body") -> WorkerLost:
        process = self._processes[index]
        _await_end([process], _CLOSING)
        code = process.exitcode
        if code is None and _state(process) == "ended":  # only the fork server knows its exit status
            how, look = "ended", _EXITED
        elif code is None:
            how, look = "closed its pipe", CLOSES_FILES
        elif code < 0:
            name = _signal_name(-code)
            how = f"was killed by {name}"
            look = _CRASHED if name in _CRASHES else _KILLED
        else:
            how = f"exited with status {code}"
            look = _EXITED
        headline = f"processes: worker {index + 1} of {workers} {how} {when}."
        return WorkerLost(worker_errors.lost(headline, place=_place(self._stack_files[index]) or "", try_next=look))

    def _stack_location(self, waited_for: set[int], workers: int) -> list[str]:
        if hasattr(signal, "SIGUSR1"):
            for index in waited_for:
                # A worker that has not made its file does not handle the signal yet, which would end it.
                if self._stack_files[index].exists():
                    with contextlib.suppress(OSError):
                        os.kill(self._processes[index].pid or 0, signal.SIGUSR1)
            CLOCKS.sleep(0.2)
        return [self._stands(index) if index in waited_for else worker_errors.FINISHED for index in range(workers)]

    def _stands(self, index: int) -> str:
        place = _place(self._stack_files[index])
        if place is not None:
            return place
        return {"alive": "not readable here", "stopped": "stopped by a signal (SIGSTOP)"}.get(
            state := _state(self._processes[index]), state
        )


def _state(process: BaseProcess) -> str:
    """Return whether a process is alive, stopped or ended."""
    if not process.is_alive():
        return "ended"
    with contextlib.suppress(Exception):  # psutil is not installed, or cannot read the process
        import psutil

        if not psutil.pid_exists(process.pid or 0):
            # Without /proc, psutil reports every process as missing, even this one.
            return "ended" if psutil.pid_exists(os.getpid()) else "alive"
        status = psutil.Process(process.pid).status()
        return {psutil.STATUS_STOPPED: "stopped", psutil.STATUS_ZOMBIE: "ended"}.get(status, "alive")
    return "alive"


def _remove(files: Sequence[Path]) -> None:
    """Remove files and their folder. Unlike ``shutil.rmtree``, this works when no more files can be opened."""
    with contextlib.suppress(OSError):
        for file in files:
            file.unlink(missing_ok=True)
        files[0].parent.rmdir()


def _await_end(processes: Sequence[BaseProcess], seconds: float) -> None:
    """Wait until all processes have ended, for ``seconds`` at most.

    ``Process.join`` would wait without a limit for a process that has closed all of its files, including its sentinel.
    """
    limit, pause = CLOCKS.wall() + seconds, _FIRST_PAUSE
    while alive := [process for process in processes if process.is_alive()]:
        patience = limit - CLOCKS.wall()
        if patience <= 0:
            return
        wait([process.sentinel for process in alive], timeout=patience)
        if all(process.is_alive() for process in alive):
            # A process closes its files a moment before it ends. Without the pause, this loop would spin until then.
            CLOCKS.sleep(min(pause, patience))
            pause = min(2 * pause, _LONGEST_PAUSE)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _place(stack_file: Path) -> str | None:
    """Return where the main thread, which runs the body, is in a dump of faulthandler (innermost frame first)."""
    try:
        text = stack_file.read_text(errors="replace")
    except OSError:
        return None
    # The handler ran in the main thread; the dump lists the body's own threads before it.
    _, _, current = text.rpartition("Current thread ")
    current, _, _ = current.partition("\n\n")
    stack = [(file, int(line), function) for file, line, function in _PLACE.findall(current)]
    return stack_locations.describe(stack) if stack else None
