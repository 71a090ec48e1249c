"""What a measured body leaves running is told on every back-end; what was there before, or soon ends, is not."""

from __future__ import annotations

import asyncio
import http.client
import http.server
import inspect
import multiprocessing
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.backends.event_loops.borrowed_loop import BorrowedAsyncioLoop
from pytest_concurrency.core.leftovers import Leftover, merged
from pytest_concurrency.core.model import Body, ExecutorChoice
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.measurement.base_bench import BaseBench
from pytest_concurrency.measurement.callable_bench import CallableBench
from pytest_concurrency.measurement.loop_callable_bench import LoopCallableBench
from pytest_concurrency.measurement.worker_bench import WorkerBench
from pytest_concurrency.probes import leftovers

HERE = "test_left_running.py"
FORK = multiprocessing.get_context("fork") if "fork" in multiprocessing.get_all_start_methods() else None
forks = pytest.mark.skipif(FORK is None, reason="the platform cannot fork")

stop = threading.Event()
started: list[subprocess.Popen[bytes]] = []


@pytest.fixture(autouse=True)
def _end_what_is_left() -> Iterator[None]:
    stop.clear()
    yield
    stop.set()
    while started:
        process = started.pop()
        process.kill()
        process.communicate()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left for good need not be waited for; workers that are forked have this too."""
    monkeypatch.setattr(leftovers, "GRACE", 0.02)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, what is about to end does so in this time."""
    monkeypatch.setattr(leftovers, "GRACE", 20.0)


def poll() -> None:
    stop.wait(30)


def nothing() -> None:
    time.sleep(0.004)


def leave_thread() -> None:
    threading.Thread(target=poll, daemon=True).start()
    time.sleep(0.004)


def leave_timer() -> None:
    threading.Timer(30, poll).start()
    time.sleep(0.004)


def leave_process() -> None:
    started.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
    time.sleep(0.004)


def leave_pool() -> None:
    pools.append(ThreadPoolExecutor(1))
    pools[-1].submit(nothing).result()


def leave_busy_thread_of_pool() -> None:
    ThreadPoolExecutor(1).submit(poll)  # the pool itself is gone


async def leave_task() -> None:
    task = asyncio.create_task(forever())
    await asyncio.sleep(0.004)
    assert not task.done()


async def forever() -> None:
    await asyncio.sleep(30)


pools: list[Executor] = []


def around(start_method: str = "fork") -> WorkerEnvironment:
    return WorkerEnvironment(Path.cwd(), start_method)


def left_in(setup: WorkerSetup, function: Callable[..., Any], *args: Any) -> tuple[Leftover, ...]:
    """What is told after some calls of a function in workers."""
    body = Body(function, args, is_async=inspect.iscoroutinefunction(function))
    with closing(WorkerBench(body, around(), patience=20.0)) as bench:
        bench.prepare(setup)
        return merged(bench.left_behind())


THREADS, PROCESSES, TASKS = (WorkerSetup(name, 2) for name in ("threads", "processes", "tasks"))


def by_executor(make: Callable[[], Executor]) -> WorkerSetup:
    return WorkerSetup("pool", 2, executor=ExecutorChoice("pool", lambda: make()))


def compare(function: Callable[[], Any]) -> tuple[Leftover, ...]:
    with closing(CallableBench(nothing, function)) as bench:
        bench.prepare(WorkerSetup("compare", 1))
        return bench.left_behind()


EVERYWHERE = [
    pytest.param(THREADS, "", id="threads"),
    pytest.param(PROCESSES, "a worker process", id="processes", marks=forks),
    pytest.param(by_executor(lambda: ThreadPoolExecutor(2)), "", id="thread-pool"),
    pytest.param(
        by_executor(lambda: ProcessPoolExecutor(2, mp_context=FORK)),
        "a worker of pool",
        id="process-pool",
        marks=forks,
    ),
]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(("setup", "inside"), EVERYWHERE)
def test_threads_that_stay_are_reported_with_the_line_that_starts_them(setup: WorkerSetup, inside: str) -> None:
    (left,) = left_in(setup, leave_thread)
    assert (left.kind, left.inside) == ("thread", inside)
    assert "(poll)" in left.what
    assert HERE in left.made_at
    assert "in leave_thread: threading.Thread(target=poll, daemon=True).start()" in left.made_at
    assert left.count > 1


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(("setup", "inside"), EVERYWHERE[:2])
def test_processes_that_stay_are_reported_with_their_command(setup: WorkerSetup, inside: str) -> None:
    (left,) = left_in(setup, leave_process)
    assert (left.kind, left.inside) == ("process", inside)
    assert left.what.endswith("-c input()")
    assert "in leave_process: started.append(" in left.made_at


@pytest.mark.skipif(sys.version_info < (3, 14), reason="needs subinterpreters")
def test_threads_that_stay_in_an_interpreter_are_reported() -> None:
    (left,) = left_in(WorkerSetup("interpreters", 1), leave_short_thread)
    assert (left.kind, left.inside) == ("thread", "a worker's interpreter")


def leave_short_thread() -> None:
    threading.Thread(target=time.sleep, args=(5,), daemon=False).start()
    time.sleep(0.004)


@pytest.mark.usefixtures("hurried")
def test_tasks_that_stay_are_reported_with_the_line_that_makes_them() -> None:
    (left,) = left_in(TASKS, leave_task)
    assert (left.kind, left.what) == ("task", "forever()")
    assert "in leave_task: task = asyncio.create_task(forever())" in left.made_at
    assert left.count > 1


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks are eager from 3.12 on")
@pytest.mark.usefixtures("hurried")
def test_task_that_an_eager_task_makes_is_reported() -> None:
    async def body() -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore]
        await asyncio.create_task(leave_task())

    assert [left.kind for left in left_in(TASKS, body)] == ["task"]


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    ("function", "kind", "what", "line"),
    [
        (leave_thread, "thread", "(poll)", "threading.Thread("),
        (leave_timer, "thread", "(target poll)", "threading.Timer("),
        (leave_process, "process", "input()", "subprocess.Popen("),
        (leave_pool, "thread", "ThreadPoolExecutor-", "ThreadPoolExecutor(1)"),
        (leave_busy_thread_of_pool, "thread", "ThreadPoolExecutor-", ".submit(poll)"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_a_compared_function_leaves_is_reported(
    function: Callable[[], None], kind: str, what: str, line: str
) -> None:
    try:
        (left,) = compare(function)
    finally:
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer):
                thread.cancel()
        while pools:
            pools.pop().shutdown()
    assert left.kind == kind
    assert what in left.what
    assert line in left.made_at


def test_one_call_of_many_that_are_alike_is_enough_to_name_them(hurried: None) -> None:
    leave_thread()  # not measured
    bench = CallableBench(nothing, leave_thread)
    with closing(bench):
        bench.prepare(WorkerSetup("compare", 1))
        assert sum(left.count for left in bench.left_behind()) == 2


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("setup", [each.values[0] for each in EVERYWHERE[:3:2]], ids=["threads", "thread-pool"])
def test_a_thread_that_soon_ends_is_not_reported(setup: WorkerSetup) -> None:
    assert left_in(setup, threading_sleep) == ()


def threading_sleep() -> None:
    threading.Thread(target=time.sleep, args=(0.03,)).start()
    time.sleep(0.004)


@pytest.mark.usefixtures("patient")
def test_a_task_that_soon_ends_is_not_reported() -> None:
    async def body() -> None:
        body.task = asyncio.create_task(asyncio.sleep(0.03))  # type: ignore[attr-defined]

    assert left_in(TASKS, body) == ()


def test_threads_of_pools_that_were_there_before_are_not_reported(hurried: None) -> None:
    """They start in the first call, and stay."""
    with ThreadPoolExecutor(2) as pool:
        assert left_in(THREADS, lambda: pool.submit(nothing).result()) == ()
        assert compare(lambda: pool.submit(nothing).result()) == ()


@forks
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_processes_of_pools_that_were_there_before_are_not_reported(hurried: None) -> None:
    with ProcessPoolExecutor(1, mp_context=FORK) as pool:
        assert compare(lambda: pool.submit(nothing).result()) == ()


async def to_thread() -> None:
    await asyncio.to_thread(nothing)


def test_the_pool_of_an_event_loop_is_not_reported(hurried: None) -> None:
    assert left_in(TASKS, to_thread) == ()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def test_what_a_server_of_the_test_starts_is_not_reported(hurried: None) -> None:
    """A thread for each connection, which stays as long as the client keeps that."""
    before = threading.active_count()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        connections: list[http.client.HTTPConnection] = []

        def ask() -> None:
            connections.append(http.client.HTTPConnection("127.0.0.1", server.server_port))
            connections[-1].request("GET", "/")
            connections[-1].getresponse().read()

        try:
            assert compare(ask) == ()
            assert threading.active_count() - before == 1 + len(connections) == 3
        finally:
            for connection in connections:
                connection.close()
            server.shutdown()
            serving.join()


def on_a_loop(use: Callable[[BorrowedAsyncioLoop], Any]) -> Any:
    """Call something beside a running event loop, as another plugin lends it, on which a server's task runs."""
    found: list[Any] = []

    async def test() -> None:
        server = asyncio.create_task(forever())
        loop = BorrowedAsyncioLoop()
        await loop.serve(lambda: found.append(use(loop)))
        server.cancel()

    asyncio.run(test())
    return found[0]


@pytest.mark.usefixtures("hurried")
def test_tasks_that_stay_on_the_tests_own_loop_are_reported() -> None:
    def use(loop: BorrowedAsyncioLoop) -> tuple[Leftover, ...]:
        with closing(LoopCallableBench(to_thread, leave_task, loop, 20.0)) as bench:
            bench.prepare(WorkerSetup("compare", 1))
            return bench.left_behind()

    (left,) = on_a_loop(use)
    assert (left.kind, left.what, left.count) == ("task", "forever()", 2)
    assert "in leave_task" in left.made_at


@pytest.mark.usefixtures("hurried")
def test_nothing_is_reported_of_bodies_on_the_tests_own_loop_that_leave_nothing() -> None:
    def use(loop: BorrowedAsyncioLoop) -> tuple[Leftover, ...]:
        environment = WorkerEnvironment(Path.cwd(), borrowed_loop=loop)
        with closing(WorkerBench(Body(to_thread, is_async=True), environment, patience=20.0)) as bench:
            bench.prepare(TASKS)
            return bench.left_behind()

    assert on_a_loop(use) == ()


def test_trio_leaves_nothing(hurried: None) -> None:
    trio = pytest.importorskip("trio")
    from pytest_concurrency.backends.event_loops.trio_loop import BorrowedTrioLoop

    async def body() -> None:
        await trio.to_thread.run_sync(nothing)

    found: list[tuple[Leftover, ...]] = []

    def measure(loop: BorrowedTrioLoop) -> None:
        environment = WorkerEnvironment(Path.cwd(), borrowed_loop=loop)
        with closing(WorkerBench(Body(body, is_async=True), environment, patience=20.0)) as bench:
            bench.prepare(TASKS)
            found.append(bench.left_behind())

    async def test() -> None:
        loop = BorrowedTrioLoop()
        await loop.serve(lambda: measure(loop))

    trio.run(test)
    assert found == [()]


def test_a_body_that_leaves_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(seconds: float) -> None:
        raise AssertionError(f"waited for {seconds} s")

    bench: BaseBench
    with closing(CallableBench(nothing, nothing)) as bench:
        bench.prepare(WorkerSetup("compare", 1))
        monkeypatch.setattr(leftovers.CLOCKS, "sleep", wait)
        assert bench.left_behind() == ()


def test_what_records_is_gone_after_the_first_calls(hurried: None) -> None:
    before = threading.Thread.start, subprocess.Popen.__init__, ThreadPoolExecutor.__init__
    compare(nothing)
    assert (threading.Thread.start, subprocess.Popen.__init__, ThreadPoolExecutor.__init__) == before
