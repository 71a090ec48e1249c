"""The messages about workers that died, could not start or gave no answer: their layout, at each place that raises one.

The way there is cut short: nothing crashes here. tests/faults has the same messages in sessions with real faults.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_concurrency.backends import executor_group, executor_task, framing, processes, serialization
from pytest_concurrency.backends.base import Raised, not_started
from pytest_concurrency.backends.event_loops.tasks import TaskWorkers
from pytest_concurrency.backends.executor_group import ExecutorWorkers
from pytest_concurrency.backends.executors import Pool
from pytest_concurrency.backends.interpreters import InterpreterWorkers
from pytest_concurrency.backends.processes import ProcessWorkers
from pytest_concurrency.backends.threads import ThreadWorkers
from pytest_concurrency.core.addresses import about
from pytest_concurrency.core.errors import WorkerLost
from pytest_concurrency.core.model import Body
from pytest_concurrency.core.text import WIDTH

NOTE = "start method fork: no other plugin has threads; the workers share an open connection to 127.0.0.1:5432"
DUMP = 'Current thread 0x1 (most recent call first):\n  File "{file}", line 1 in scale\n'
SITES: dict[str, Callable[[], object]] = {}


def site(*cases: object) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Add a function that raises or returns the error of one place, once for each case."""

    def add(function: Callable[..., object]) -> Callable[..., object]:
        for number, case in enumerate(cases):
            SITES[f"{function.__name__}-{number}"] = functools.partial(function, case)
        if not cases:
            SITES[function.__name__] = function
        return function

    return add


@site(errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.ENOSPC, errno.EROFS, errno.ENAMETOOLONG, errno.EIO)
def worker_that_could_not_start(number: int) -> WorkerLost:
    return not_started("processes: worker 3 of 4 could not be started.", OSError(number, os.strerror(number)), NOTE)


@site()
def thread_that_could_not_start() -> None:
    class Crowded(ThreadWorkers):
        def _start(self, index: int) -> None:
            raise RuntimeError("can't start new thread")

    Crowded({}, 4)


@site("", "the test took more than its 300 seconds, and a library for time limits has ended it")
def thread_that_was_ended(text: str) -> None:
    with closing(ThreadWorkers({"body": lambda: None}, 4)) as group:
        group._ends[2] = SystemError(text)
        group.run(4, 1, 10.0)


def worker_processes(code: int | None) -> ProcessWorkers:
    if sys.platform == "win32":
        pytest.skip("signals and pipes of POSIX")
    group = ProcessWorkers.__new__(ProcessWorkers)
    ended: Any = SimpleNamespace(exitcode=code, is_alive=lambda: code is None, pid=os.getpid(), sentinel=0)
    group._processes = [ended]
    group._stack_files = [Path(os.devnull)]
    return group


@site(7, -6, -9)
def process_that_ended(code: int) -> WorkerLost:
    return worker_processes(code)._removed(0, 4)


@site()
def process_that_closed_its_pipe() -> WorkerLost:
    return worker_processes(None)._removed(0, 4)


@site(b"\x00" * 60, framing._MARK + b"\x00\x00\x00\x05hello", framing._MARK + b"\xff\xff\xff\xff")
def process_that_sent_garbage(message: bytes) -> None:
    ours, theirs = multiprocessing.Pipe()
    with ours, theirs:
        group = worker_processes(None)
        group._inboxes = [framing.Inbox(ours)]
        os.write(theirs.fileno(), message)
        group._receive(0, 4)


@site("", "the pipe is closed")
def interpreter_that_ended(text: str) -> WorkerLost:
    group = InterpreterWorkers.__new__(InterpreterWorkers)
    ended = threading.Thread()
    ended.start()
    group._threads, group._ends = [ended], [Future()]
    if text:
        group._ends[0].set_exception(RuntimeError(text))
    return group._removed(0, 4)


def executor_workers(submit: Callable[..., Any]) -> ExecutorWorkers:
    class Given(Executor):
        pass

    Given.submit = staticmethod(submit)  # type: ignore[assignment, method-assign]
    return ExecutorWorkers(Body(lambda: None), 2, "Given", Pool(Given()), Path.cwd())


def future_of(result: object) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(result) if isinstance(result, BaseException) else future.set_result(result)
    return future


@site()
def executor_that_raises() -> None:
    executor_workers(lambda *_: [].pop())


@site()
def executor_that_returns_no_future() -> None:
    executor_workers(lambda *_: 42)


@site()
def executor_whose_future_has_an_exception() -> None:
    executor_workers(lambda *_: future_of(ConnectionError("the server has gone")))


@site()
def executor_whose_future_has_another_result() -> None:
    executor_workers(lambda *_: future_of({"status": "accepted"}))


@site()
def executor_without_the_body() -> None:
    executor_workers(lambda function, item: future_of(replace(executor_task.work(item), answer=None)))


@site()
def executor_with_fewer_workers_than_before() -> None:
    with ThreadPoolExecutor(1) as pool, closing(executor_workers(pool.submit)) as group:
        group.at_once = 2
        group.run(2, 1, 10.0)


@site("stop", "close")
def event_loop_that_the_body_ends(what: str) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def body() -> None:
        loops.append(asyncio.get_running_loop())
        if what == "stop":
            loops[0].stop()
            await asyncio.sleep(1)

    with closing(TaskWorkers(Body(body, is_async=True), 1)) as group:
        group.run(1, 1, 10.0)
        loops[0].close()
        group.run(1, 1, 10.0)


@site()
def exception_that_cannot_be_pickled() -> BaseException:
    return serialization.exception_of(serialization.Answer("raised", text="Traceback:\nshop.OutOfStock: no more\n"))


@pytest.mark.parametrize("lose", SITES.values(), ids=SITES)
def test_message_about_a_lost_worker_has_short_lines_advice_and_an_address(
    lose: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_CLOSING", 0.0)
    monkeypatch.setattr(executor_group, "_FIRST_LEAD", 0.001)
    error: object = None
    try:
        error = lose()
    except WorkerLost as lost:
        error = lost
    except Raised as raised:
        error = raised.error
    assert isinstance(error, WorkerLost)
    headline, *others = str(error).splitlines()
    assert max(map(len, (headline, *others))) <= WIDTH
    assert headline.endswith(".")
    assert others[0] == ""
    assert any(line.startswith("Try:   ") and line[7].islower() for line in others)
    assert others[-1] == f"More:  {about('lost-workers')}"
    assert ".." not in str(error).replace("...", "")


def test_message_about_a_process_that_died_has_the_line_that_it_ran(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    group = worker_processes(-11)
    group._stack_files = [tmp_path / "stack.txt"]
    group._stack_files[0].write_text(DUMP.format(file=tmp_path / "test_image.py"))
    (tmp_path / "test_image.py").write_text("lib.scale(p)\n")
    headline, _, where, *_ = str(group._removed(0, 4)).splitlines()
    assert headline == "processes: worker 1 of 4 was killed by SIGSEGV while it ran the body."
    assert where.startswith("Where: ")
    assert where.endswith("test_image.py:1 in scale: lib.scale(p)")


def test_message_about_a_worker_that_could_not_start_has_the_exception_as_its_cause() -> None:
    lines = str(not_started("tasks: the event loop could not be made.", OSError(24, "Too many files"), NOTE)).split(
        "\n"
    )
    assert lines[0] == "tasks: the event loop could not be made."
    assert "Cause: OSError: [Errno 24] Too many files." in lines
    assert any(line.startswith("Workers: start method fork: ") for line in lines)
