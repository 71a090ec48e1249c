"""A higher priority for one batch and for all that it starts."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from pytest_concurrency.core.model import Interference
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.machine import inherited_priority, priority, task_tree
from pytest_concurrency.machine.priority import Priority
from pytest_concurrency.measurement.callable_bench import CallableBench

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the priority of threads is raised on Linux only"),
    pytest.mark.usefixtures("as_before"),
]
LOWEST = Priority("nice", -20)
SLEEP = [sys.executable, "-I", "-S", "-c", "import sys; print(flush=True); sys.stdin.read()"]
PARENT = f"import subprocess, sys; subprocess.Popen({SLEEP!r}); sys.stdin.read()"


def in_thread(function: Callable[[], object]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def test_what_the_block_starts_has_it_until_its_end(higher: Priority) -> None:
    found: list[bool] = []

    def look() -> None:
        found.append(priority.has(higher, threading.get_native_id()))

    with ThreadPoolExecutor(1) as pool:
        with inherited_priority.raised(higher, ()):
            look()
            in_thread(look)
            pool.submit(look).result()
            child = subprocess.Popen(SLEEP, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            assert child.stdout is not None
            child.stdout.readline()
            found.append(priority.has(higher, child.pid))
        assert found == [True] * 4
        pool.submit(look).result()
        in_thread(look)
        found.append(priority.has(higher, child.pid))
    child.communicate()
    assert found[4:] == [False] * 3


def test_grandchild_is_lowered_too(higher: Priority) -> None:
    with inherited_priority.raised(higher, ()):
        child = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        (grandchild,) = {process for process, _ in task_tree.threads_of([child.pid])} - {child.pid}
        assert priority.has(higher, grandchild)
    assert not priority.has(higher, grandchild)
    child.communicate()


def test_helper_that_was_there_before_is_raised_and_given_back(higher: Priority) -> None:
    with ThreadPoolExecutor(1) as pool:
        thread = pool.submit(threading.get_native_id).result()
        with inherited_priority.raised(higher, [thread]):
            assert priority.has(higher, thread)
        assert not priority.has(higher, thread)


def test_number_of_a_thread_of_another_program_is_left_alone(higher: Priority) -> None:
    with inherited_priority.raised(higher, [os.getppid()]):
        assert not priority.has(higher, os.getppid())


def test_it_is_given_back_after_an_exception(higher: Priority) -> None:
    with pytest.raises(KeyboardInterrupt), inherited_priority.raised(higher, ()):
        raise KeyboardInterrupt


def test_caller_whose_flag_may_not_be_taken_off_stays_as_it_is(
    higher: Priority, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError

    monkeypatch.setattr(priority, "give", refuse)
    with inherited_priority.raised(higher, ()):
        assert not priority.has(higher, threading.get_native_id())


def test_two_callables_have_it_beside_others_with_their_lasting_pool_and_new_threads(
    higher: Priority, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[bool] = []

    def look() -> None:
        found.append(priority.has(LOWEST, threading.get_native_id()))

    if priority.choose("nice") != LOWEST:
        pytest.skip("the lowest nice value is not allowed here")
    pool = ThreadPoolExecutor(1)

    def candidate() -> None:
        pool.submit(look).result()
        in_thread(look)

    with pool, closing(CallableBench(look, candidate, higher=higher)) as bench:
        monkeypatch.setattr(bench._meter, "read", lambda: Interference(foreign=1.0))
        setup = WorkerSetup("compare", 1)
        bench.prepare(setup)
        assert not any(found)
        found.clear()
        bench.round(setup)
        assert found
        assert all(found)
        found.clear()
        pool.submit(look).result()
        assert found == [False]
