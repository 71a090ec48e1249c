"""What computes for a body besides its workers (pure part)."""

from __future__ import annotations

import _thread
import math
import os
import threading
import time

import pytest

from pytest_concurrency.machine import task_tree
from pytest_concurrency.probes import helper_threads, thread_clock

from ..make import reading


@pytest.mark.parametrize(
    ("helpers_cpu", "cpu", "accounting"),
    [(0.0, 0.001, "seen"), (0.0005, 0.001, "seen"), (0.006, 0.007, "unseen"), (0.5, 0.01, "unseen")],
)
def test_helpers_are_credited_up_to_what_a_worker_waited(helpers_cpu: float, cpu: float, accounting: str) -> None:
    (credited,) = helper_threads.credit([reading(0.001, 0.009)], helpers_cpu)
    assert credited.cpu == pytest.approx(cpu)
    assert credited.accounting == accounting
    assert credited.cpu + credited.blocked == pytest.approx(0.01)


def test_several_workers_share_the_help() -> None:
    credited = helper_threads.credit([reading(0.001, 0.009), reading(0.001, 0.009)], 0.008)
    assert [one.cpu for one in credited] == pytest.approx([0.005, 0.005])


def test_worker_may_have_waited_for_a_cpu_that_its_helper_had() -> None:
    (alone,) = helper_threads.credit([reading(0.001, 0.002, delay=0.007)], 0.008, delay=0.001)
    assert alone.cpu == pytest.approx(0.009)
    assert (alone.blocked, alone.delay) == pytest.approx((0.0, 0.001))
    assert (alone.accounting, alone.helpers_delay) == ("helped", pytest.approx(0.007))


def test_helpers_that_hardly_got_a_cpu_are_credited_with_their_delay() -> None:
    (alone,) = helper_threads.credit([reading(0.001, 0.009)], 0.0005, delay=0.008)
    assert (alone.accounting, alone.helpers_delay) == ("helped", pytest.approx(0.008))


def test_helpers_of_which_nothing_is_known_are_unseen_however_little_they_computed() -> None:
    (alone,) = helper_threads.credit([reading(0.001, 0.009)], 0.0005, delay=math.inf)
    assert (alone.accounting, alone.helpers_delay) == ("unseen", 0.0)


def test_several_workers_share_the_delay_of_helpers() -> None:
    credited = helper_threads.credit([reading(0.001, 0.009), reading(0.001, 0.009)], 0.008, delay=0.004)
    assert [one.helpers_delay for one in credited] == pytest.approx([0.002, 0.002])


@pytest.mark.skipif(thread_clock.unavailable() is not None, reason="needs run delay")
@pytest.mark.parametrize("known", [True, False], ids=["reported", "missed"])
def test_delay_is_unknown_if_much_was_computed_by_what_has_not_reported_its_end(known: bool) -> None:
    native_ids: list[int] = []

    def report_and_compute() -> None:
        native_ids.append(threading.get_native_id())
        compute()

    with helper_threads.HelperThreads(children=False, delays=True) as beside:
        if known:
            threading.Thread(target=report_and_compute).start()
        else:
            _thread.start_new_thread(report_and_compute, ())  # as native code starts one
        # The kernel may list the thread for a moment after its end, and then its delay is known.
        while not native_ids or native_ids[0] in task_tree.threads_in(os.getpid()):
            time.sleep(0.001)
    beside.finish()
    assert beside.delay is not None
    assert math.isfinite(beside.delay) == known


@pytest.mark.skipif(thread_clock.unavailable() is not None, reason="needs run delay")
def test_delay_is_known_of_threads_that_hardly_compute() -> None:
    timers = [threading.Timer(0.001, int) for _ in range(3)]
    with helper_threads.HelperThreads(children=False, delays=True) as beside:
        for timer in timers:
            timer.start()
        time.sleep(0.1)
    beside.finish()
    assert beside.delay is not None
    assert math.isfinite(beside.delay)


@pytest.mark.skipif(thread_clock.unavailable() is not None, reason="needs run delay")
def test_threads_that_end_right_after_the_batch_are_known() -> None:
    """The workers of anyio end when the task does that began the batch."""
    end, started = threading.Event(), threading.Barrier(9)
    threads = [threading.Thread(target=lambda: (started.wait(), compute(), end.wait())) for _ in range(8)]
    with helper_threads.HelperThreads(children=False, delays=True) as beside:
        for thread in threads:
            thread.start()
        started.wait()
        time.sleep(0.5)
    end.set()
    for thread in threads:
        thread.join()
    beside.finish()
    assert beside.delay is not None
    assert math.isfinite(beside.delay)


def compute() -> None:
    end = time.thread_time() + 0.05
    while time.thread_time() < end:
        pass


def test_the_computing_of_another_thread_is_seen_and_the_workers_is_not() -> None:
    beside = helper_threads.HelperThreads(children=False)
    thread = threading.Thread(target=compute)
    thread.start()
    thread.join()
    compute()
    beside.finish()
    assert 0.04 < beside.cpu < 0.09
    assert beside.living_children == 0
