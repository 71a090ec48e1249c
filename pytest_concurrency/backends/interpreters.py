"""Back-end of subinterpreters: threads of this process, each with its own interpreter and its own GIL (PEP 734)."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import multiprocessing
import pickle
import platform
import sys
import threading
from concurrent.futures import Future
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pytest_concurrency.backends import hung
from pytest_concurrency.backends.base import not_started
from pytest_concurrency.backends.pipe_group import CLOSES_FILES, PipeWorkers
from pytest_concurrency.backends.serialization import Answer, load_error, pack, pack_state, session_modules
from pytest_concurrency.core.errors import CannotMeasure, WorkerLost
from pytest_concurrency.core.model import Body
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.originals import Thread
from pytest_concurrency.probes import thread_clock
from pytest_concurrency.verdicts import worker_errors

__tracebackhide__ = True  # pytest shows a failure at the line of the test

_CLOSING = 1.0  # seconds that interpreters get to end
_CODE = """
import sys
sys.path.extend(folder for folder in path if folder not in sys.path)
from pytest_concurrency.backends import interpreter_main
interpreter_main.main(handle, index, packed, modules, state)
"""


class InterpreterWorkers(PipeWorkers):
    """Interpreters, each in a thread of its own, that wait at a pipe for their next batch."""

    backend = "interpreters"
    note = "an interpreter for each worker, in threads of the test process"

    def __init__(self, body: Body, count: int, root: Path) -> None:
        """Start the interpreters.

        :raises CannotMeasure: Python is older than 3.14, or a module that the body needs refuses to load in one.
        :raises NotPicklable: the body cannot be loaded in an interpreter for another reason.
        """
        super().__init__()
        if importlib.util.find_spec("concurrent.interpreters") is None:
            raise CannotMeasure(
                f"subinterpreters need Python 3.14 or later, and this is {platform.python_version()}",
                "run it on Python 3.14 or later, or measure with processes= instead.",
            )
        thread_clock.require()
        self._label: str = body.label
        self._threads: list[threading.Thread] = []
        self._ends: list[Future[None]] = []
        given: dict[str, Any] = {
            "path": tuple(sys.path),
            "packed": pack(body, "a subinterpreter"),
            "modules": pickle.dumps(session_modules(root)),
            "state": pack_state(),
        }

        def start(index: int) -> None:
            self._start(index, count, given)

        def refusal(index: int, answer: Answer) -> Exception:
            return load_error(answer, f"{self.backend} worker {index + 1}", body)

        self._open(count, start, refusal)

    def close(self) -> None:
        """Ask the interpreters to end. One that hangs is abandoned, because it cannot be ended from outside."""
        self._dismiss()
        limit = CLOCKS.wall() + _CLOSING
        for index, thread in enumerate(self._threads):
            thread.join(max(0.0, limit - CLOCKS.wall()))
            if thread.is_alive():
                what = f"{self._label}, interpreters worker {index + 1}: no answer"
                hung.leave(hung.AbandonedWorker(what, self._ends[index], functools.partial(list, [thread])))
        self._threads = []

    def _start(self, index: int, count: int, given: dict[str, Any]) -> None:
        from concurrent import interpreters  # type: ignore[attr-defined, unused-ignore]

        end: Future[None] = Future()
        try:
            ours, theirs = multiprocessing.Pipe()
            self._add(ours)
            with contextlib.ExitStack() as unless_started:
                unless_started.callback(theirs.close)
                interpreter = interpreters.create()
                unless_started.callback(interpreter.close)
                interpreter.prepare_main(handle=theirs.fileno(), index=index, **given)
                name = f"concurrency-interpreters-{index}"
                thread = Thread(target=_live, args=(interpreter, theirs, end), name=name)
                thread.start()
                unless_started.pop_all()
        except (OSError, RuntimeError) as error:
            raise not_started(f"interpreters: worker {index + 1} of {count} could not be started.", error) from None
        self._threads.append(thread)
        self._ends.append(end)

    @property
    def native_ids(self) -> list[int]:
        return [thread.native_id for thread in self._threads if thread.native_id]

    def _ended(self, index: int) -> bool:
        return not self._threads[index].is_alive()

    def _removed(self, index: int, workers: int, when: str = "while it ran the body") -> WorkerLost:
        self._threads[index].join(_CLOSING)
        error = self._ends[index].exception() if self._ends[index].done() else None
        headline = f"interpreters: worker {index + 1} of {workers} ended {when}."
        return WorkerLost(worker_errors.lost(headline, error or "", try_next=CLOSES_FILES))

    def _stack_location(self, waited_for: set[int], workers: int) -> list[str]:
        return ["no answer" if index in waited_for else worker_errors.FINISHED for index in range(workers)]

    def _note_on_hung(self) -> str:
        return hung.STAYS


def _live(interpreter: Any, theirs: Connection, end: Future[None]) -> None:
    """Run a worker in its interpreter, and close the interpreter and the pipe when it has ended."""
    try:
        interpreter.exec(_CODE)
        interpreter.close()
    except Exception as error:
        end.set_exception(error)
    else:
        end.set_result(None)
    finally:
        theirs.close()  # the session then sees the end of the pipe
