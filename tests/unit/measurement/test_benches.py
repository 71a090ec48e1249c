"""What real benches share, and the bench of two async callables."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pytest_concurrency.backends.base import Raised
from pytest_concurrency.backends.current_worker import CurrentWorker
from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.backends.event_loops.borrowed_loop import BorrowedAsyncioLoop
from pytest_concurrency.core.addresses import about
from pytest_concurrency.core.errors import WorkerLost
from pytest_concurrency.core.model import Body, Reading, Sample
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.measurement import batch_size
from pytest_concurrency.measurement.callable_bench import CallableBench
from pytest_concurrency.measurement.loop_callable_bench import LoopCallableBench
from pytest_concurrency.measurement.worker_bench import WorkerBench

WORKER = CurrentWorker()
SETUP = WorkerSetup("compare", 2)
SERIAL, CONCURRENT = (Sample(1, (Reading(0.0, seconds, 0.0),)) for seconds in (1.0, 2.0))


def nothing() -> None:
    pass


def test_batches_run_in_both_orders_and_come_back_in_one() -> None:
    bench = CallableBench(nothing, nothing)
    orders = set()
    for _ in range(20):
        ran: list[str] = []

        def serial(ran: list[str] = ran) -> Sample:
            ran.append("serial")
            return SERIAL

        def concurrent(ran: list[str] = ran) -> Sample:
            ran.append("concurrent")
            return CONCURRENT

        assert bench._ordered(serial, concurrent) == (SERIAL, CONCURRENT)
        orders.add(tuple(ran))
    assert orders == {("serial", "concurrent"), ("concurrent", "serial")}


def test_a_batch_that_was_measured_already_is_not_run_again() -> None:
    def again() -> Sample:
        raise AssertionError("it ran")

    bench = CallableBench(nothing, nothing)
    for _ in range(10):
        assert bench._ordered(again, lambda: CONCURRENT, "kind", measured=SERIAL) == (SERIAL, CONCURRENT)


def test_batches_grow_up_to_the_longest() -> None:
    bench = CallableBench(nothing, nothing)
    steps = 0
    while bench._lengthened():
        steps += 1
    assert bench._batch == batch_size.longest()
    assert steps >= 1
    assert not bench._lengthened()


def on_loop(work: Callable[[LoopCallableBench], Any], *calls: Any, patience: float = 5.0) -> Any:
    """Let ``work`` use a bench of two async callables, while a loop of asyncio serves it."""
    found: list[Any] = []

    async def test() -> None:
        loop = BorrowedAsyncioLoop()
        bench = LoopCallableBench(*calls, loop, patience)
        await loop.serve(lambda: found.append(work(bench)))

    asyncio.run(test())
    return found[0]


async def short() -> str:
    await asyncio.sleep(0.001)
    return "short"


async def long() -> str:
    await asyncio.sleep(0.02)
    return "long"


def test_a_round_reads_both_callables_on_the_loop() -> None:
    def work(bench: LoopCallableBench) -> Any:
        bench.prepare(SETUP)
        return bench.round(SETUP), bench.results(), bench.note(SETUP)

    round_, results, note = on_loop(work, long, short)
    assert results == ("long", "short")
    assert note.startswith("both run on the test's own event loop, asyncio.")
    assert round_.serial.wall / round_.serial.loops >= 0.02
    assert round_.concurrent.wall / round_.concurrent.loops >= 0.001


def test_an_exception_says_which_callable_raised_it() -> None:
    async def boom() -> None:
        raise ExceptionGroup("mine", [KeyError("x")])  # noqa: F821  # since 3.11

    with pytest.raises(Raised) as caught:
        on_loop(lambda bench: bench.prepare(SETUP), short, boom)
    assert caught.value.worker == "the candidate"
    assert type(caught.value.error).__name__ in ("ExceptionGroup", "NameError")


def test_a_result_that_cannot_be_had_raises_what_the_callable_raises() -> None:
    async def boom() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        on_loop(lambda bench: bench.results(), boom, short)


def test_a_callable_that_hangs_is_cancelled_and_reported() -> None:
    cancelled: list[bool] = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    with pytest.raises(WorkerLost) as lost:
        on_loop(lambda bench: bench.prepare(SETUP), hang, short, patience=0.3)
    headline, _, *others = str(lost.value).splitlines()
    assert headline == "the baseline had not ended after 300 ms."
    assert [line[:7] for line in others if line[:1].strip()] == ["Cause: ", "Where: ", "Try:   ", "More:  "]
    assert others[-1] == f"More:  {about('hung-workers')}"
    assert cancelled == [True]


def test_workers_whose_first_call_raised_are_made_and_warmed_up_anew() -> None:
    calls = []

    def body() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError

    setup = WorkerSetup("threads", 1)
    with closing(WorkerBench(Body(body), WorkerEnvironment(Path.cwd()), patience=20.0)) as bench:
        with pytest.raises(Raised):
            bench.prepare(setup)
        bench.prepare(setup)
        assert setup.key in bench._warm


def test_single_calls_of_a_body_by_index_are_the_mean_of_all_workers() -> None:
    """Once, the sum of what the bodies of all workers took: a body that does not scale read as N times as fast."""

    def body() -> None:
        time.sleep(0.005 if not late or WORKER.index >= 0 else 0)

    late: list[bool] = []
    setup = WorkerSetup("threads", 4)
    with closing(WorkerBench(Body(body), WorkerEnvironment(Path.cwd()), patience=20.0)) as bench:
        bench.prepare(setup)
        bench.one_call(setup, 3)
        late.append(True)
        bench.round(setup)
        serial = bench.round(setup).serial
        assert bench._by_index
        assert serial.wall / serial.loops < 4 * 0.005 + 0.02
        assert len(serial.readings[0].each) == 4


def test_slow_call_that_sizes_the_batches_of_two_callables_leaves_them_long_enough() -> None:
    """Without it, a batch of microseconds is the reading of two clocks, and its ratio says nothing."""
    calls = 0

    def cached() -> None:
        nonlocal calls
        calls += 1
        if calls <= 4:  # two of each: the warm-up, and the call that sizes the batches
            time.sleep(0.05)

    bench = CallableBench(cached, cached)
    with closing(bench):
        bench.prepare(SETUP)
        round_ = bench.round(SETUP)
    assert round_.concurrent is not None
    for sample in (round_.serial, round_.concurrent):
        assert sample.loops > 100
        assert not batch_size.is_short(sample.wall, batch_size.shortest())


def quick() -> None:
    time.sleep(0.001)


def test_no_thread_of_a_worker_lives_when_processes_start(tmp_path: Path) -> None:
    bench = WorkerBench(Body(quick), WorkerEnvironment(tmp_path), patience=10.0)
    with closing(bench):
        threads = WorkerSetup("threads", 2, sustained=0.01)
        bench.prepare(threads)
        assert list(bench._groups) == [threads.key]
        processes = WorkerSetup("processes", 2)
        bench.prepare(processes)
        assert list(bench._groups) == [processes.key]
