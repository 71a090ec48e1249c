"""What workers do where others are at the same."""

from __future__ import annotations

import ast
import asyncio
import os
import sys
from pathlib import Path

import cloudpickle
import pytest

from pytest_concurrency.backends import interpreter_main, interpreters, serialization
from pytest_concurrency.backends.event_loops.tasks import TaskWorkers
from pytest_concurrency.core.model import Body
from pytest_concurrency.probes import thread_clock


@pytest.mark.skipif(thread_clock.unavailable() is not None, reason="no file to close")
def test_a_clock_that_two_threads_close_is_closed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of a closed file is soon another file's."""
    clock = thread_clock.ThreadClock()
    closed: list[int] = []

    def close(number: int) -> None:
        closed.append(number)
        if len(closed) == 1:
            clock.close()  # the other thread, at this very moment

    with monkeypatch.context() as patch:
        patch.setattr(os, "close", close)
        clock.close()
    assert len(closed) == 1
    os.close(closed[0])


def test_a_worker_of_many_bodies_looks_for_modules_in_one_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    (tmp_path / "pcp_one.py").write_text("")
    for name in ("pcp_none", "pcp_one"):
        serialization.unpack(cloudpickle.dumps({}), {name: (str(tmp_path / "pcp_one.py"), ())})
    assert sum(type(finder).__name__ == "_SessionFinder" for finder in sys.meta_path) == 1
    assert __import__("pcp_one").__file__ == str(tmp_path / "pcp_one.py")
    serialization.unpack(cloudpickle.dumps({}), {})
    assert not any(type(finder).__name__ == "_SessionFinder" for finder in sys.meta_path)


def test_tasks_say_when_each_was_done() -> None:
    """They share a thread, whose reading knows of all of them together only."""

    async def body() -> None:
        async with lock:
            await asyncio.sleep(0.001)

    lock = asyncio.Lock()
    group = TaskWorkers(Body(body, is_async=True), 3)
    try:
        (reading,) = group.run(3, 1, 10.0).readings
        assert group.run(3, 1, 10.0, "control").readings[0].ends == ()
    finally:
        group.close()
    assert list(reading.ends) == sorted(reading.ends)
    assert reading.start < reading.ends[0] < reading.ends[2] <= reading.end


def test_interpreter_code_names_modules_that_exist() -> None:
    """It is a string that no import check reads, and that runs from Python 3.14 on only."""
    imported = [node for node in ast.walk(ast.parse(interpreters._CODE)) if isinstance(node, ast.ImportFrom)]
    assert [f"{node.module}.{alias.name}" for node in imported for alias in node.names] == [interpreter_main.__name__]
