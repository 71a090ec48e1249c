"""Which threads have the raised priority in a batch besides its workers, and whether that was all who worked."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from pytest_concurrency.core.model import Reading, Sample
from pytest_concurrency.machine import priority
from pytest_concurrency.machine.priority import ORDINARY, Priority
from pytest_concurrency.measurement.batch_priority import BatchPriority
from pytest_concurrency.probes.bystanders import native_ids

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the priority of threads is raised on Linux only")
LOWEST = Priority("nice", -20)
HELPED = Sample(1, (Reading(0.0, 1.0, 0.5, accounting="unseen"), Reading(0.0, 1.0, 0.5)))


@pytest.fixture
def batches() -> BatchPriority:
    found = priority.choose("nice")
    if found != LOWEST:
        pytest.skip(found.why or "the lowest nice value is not allowed here")
    before = native_ids()  # threads of pytest-xdist among them
    return BatchPriority(found, lambda: before)


@contextmanager
def restless_thread() -> Iterator[int]:
    end = threading.Event()

    def live() -> None:
        while not end.wait(0.001):
            compute(0.001)

    thread = threading.Thread(target=live)
    thread.start()
    yield thread.native_id or 0
    end.set()
    thread.join()


def compute(seconds: float = 0.002) -> int:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
    return threading.get_native_id()


def run(batches: BatchPriority, batch: Callable[[], object], helped: bool = False) -> None:
    batches._helped = batches._helped or helped
    with batches.raised([threading.get_native_id()], 60.0):
        batch()


def test_pool_that_worked_for_the_first_batch_is_raised_in_the_next(batches: BatchPriority) -> None:
    found = []
    with ThreadPoolExecutor(1) as pool:
        thread = pool.submit(compute).result()
        with batches.learning():
            pool.submit(compute).result()
        run(batches, lambda: (pool.submit(compute).result(), found.append(priority.has(LOWEST, thread))))
        assert found == [True]
        assert batches.is_undisturbed
        assert [each.accounting for each in batches.judged(HELPED).readings] == ["raised", "seen"]


def test_thread_that_computes_without_a_batch_is_no_helper(batches: BatchPriority) -> None:
    found = []
    with restless_thread() as thread:
        with batches.learning():
            time.sleep(0.02)
        for _ in range(2):
            run(batches, lambda: (time.sleep(0.02), found.append(priority.has(LOWEST, thread))), helped=True)
    assert found == [False, False]
    assert not batches.is_undisturbed
    assert batches.judged(HELPED) == HELPED


def test_thread_that_a_pool_starts_in_a_batch_is_raised_in_the_next(batches: BatchPriority) -> None:
    with ThreadPoolExecutor(2) as pool:
        pool.submit(compute).result()
        with batches.learning():
            pool.submit(compute).result()

        def two() -> None:
            meeting = threading.Barrier(2)
            for future in [pool.submit(meeting.wait) for _ in range(2)]:
                future.result()

        for _ in range(2):
            run(batches, two)
            assert batches.is_undisturbed


def test_bystander_that_is_known_counts_for_nothing(batches: BatchPriority) -> None:
    with restless_thread() as thread:
        batches._bystanders = lambda: [thread, *native_ids()]
        with batches.learning():
            time.sleep(0.02)
        run(batches, lambda: time.sleep(0.02), helped=True)
    assert batches.is_undisturbed


def test_without_the_right_to_a_nice_value_it_is_measured_as_ever(
    batches: BatchPriority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(priority, "choose", lambda wanted: ORDINARY)
    batches = BatchPriority(Priority("realtime"), helped=True)
    found = []
    run(batches, lambda: found.append(priority.has(LOWEST, threading.get_native_id())))
    assert found == [False]
    assert batches.judged(HELPED) == HELPED


def test_ordinary_priority_learns_and_claims_nothing() -> None:
    batches = BatchPriority(ORDINARY)
    with batches.learning():
        compute()
    run(batches, compute, helped=True)
    assert batches.judged(HELPED) == HELPED
