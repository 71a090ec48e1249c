"""What the threads of this process have spent between two times; the readings are written down, not measured."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Collection

import pytest

from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes import process_threads
from pytest_concurrency.probes.ended_tasks import ENDED
from pytest_concurrency.probes.process_threads import ProcessThreads, cpu_by_thread, in_turn

Spent = dict[int, tuple[float, float]]  # by thread: CPU time and run-queue delay
Measure = Callable[..., ProcessThreads]


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Measure:
    """Return what takes readings before and after; the process as a whole has used ``process`` seconds in between."""

    def measured(before: Spent, after: Spent, process: float, aside: Collection[int] = ()) -> ProcessThreads:
        current = dict(before)
        used = [0.0, process]
        monkeypatch.setattr(CLOCKS, "process_cpu", lambda: used.pop(0))
        monkeypatch.setattr(CLOCKS, "thread_cpu", lambda: 0.0)
        monkeypatch.setattr(process_threads, "unavailable", lambda: None)
        monkeypatch.setattr(process_threads.task_tree, "threads_in", lambda process: list(current))
        monkeypatch.setattr(process_threads, "schedstat", lambda thread: current.get(thread))
        threads = ProcessThreads()
        current.clear()
        current.update(after)
        threads.finish(aside)
        return threads

    return measured


def test_all_threads_count_but_the_calling_one_and_those_left_out(measure: Measure) -> None:
    own = threading.get_native_id()
    before = {own: (1.0, 1.0), 1: (1.0, 1.0), 2: (1.0, 1.0)}
    after = {own: (1.0, 9.0), 1: (1.25, 1.5), 2: (1.5, 4.0)}
    assert (both := measure(before, after, 0.75)).cpu == 0.75
    assert both.delay == 3.5
    assert (first := measure(before, after, 0.75, aside={2})).cpu == 0.25
    assert first.delay == 0.5


def test_thread_that_starts_counts_from_its_start(measure: Measure) -> None:
    assert measure({}, {7: (0.25, 0.5)}, 0.25).delay == 0.5


def test_thread_that_reports_its_end_counts(measure: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ENDED, "threads", lambda: {7: (0.5, 2.0)})
    assert measure({7: (0.25, 0.5)}, {}, 0.25).delay == 1.5
    assert measure({}, {}, 0.0).delay == 0.0  # it had reported that before


def test_number_of_an_ended_thread_that_is_used_again_is_no_less(
    measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ENDED, "threads", lambda: {7: (0.5, 2.0)})
    assert measure({}, {7: (0.25, 0.5)}, 0.0).delay == 0.0


@pytest.mark.parametrize(("process", "known"), [(0.25, True), (0.254, True), (0.3, False)])
def test_delay_is_unknown_if_threads_that_are_gone_have_computed(measure: Measure, process: float, known: bool) -> None:
    threads = measure({1: (0.0, 0.0), 2: (0.0, 0.0)}, {1: (0.25, 0.5)}, process)
    assert threads.delay == (0.5 if known else math.inf)
    assert threads.cpu == process


def test_nothing_is_known_where_it_cannot_be_read(measure: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_threads, "unavailable", lambda: "not here")
    monkeypatch.setattr(CLOCKS, "process_cpu", lambda: 0.0)
    threads = ProcessThreads()
    threads.finish(())
    assert (threads.cpu, threads.delay) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("before", "after", "total", "others"),
    [
        ({1: 1.0}, {1: 1.5}, 0.5, 0.0),
        ({1: 1.0, 2: 1.0}, {1: 1.5, 2: 1.25}, 0.75, 0.25),
        ({1: 1.0}, {1: 1.0, 2: 0.5, 3: 0.5}, 1.0, 0.5),  # two that have started meanwhile
        ({1: 1.0, 2: 1.0}, {1: 1.25}, 0.75, 0.25),  # the second has ended unseen
        (None, {1: 1.0}, 0.75, 0.75),  # there were too many threads
        ({1: 1.0}, {1: 0.5}, 0.0, 0.0),  # another thread has its number now
        ({1: 1.0, 2: 1.0, 3: 1.0}, {1: 2.0, 2: 2.0, 3: 1.25}, 2.25, 0.25),  # one throughout without the GIL
    ],
)
def test_threads_hold_the_gil_in_turn_unless_they_run_throughout(
    before: dict[int, float] | None, after: dict[int, float], total: float, others: float
) -> None:
    assert in_turn(before, after, total, 1.0) == others


@pytest.mark.skipif(not cpu_by_thread(), reason="needs the clocks of other threads")
def test_cpu_time_of_a_thread_is_that_of_its_own_clock() -> None:
    used, end = threading.Event(), threading.Event()
    own: list[float] = []

    def compute() -> None:
        while time.thread_time() < 0.02:
            pass
        own.append(time.thread_time())
        used.set()
        end.wait()

    thread = threading.Thread(target=compute)
    thread.start()
    used.wait()
    found = cpu_by_thread()
    assert found is not None
    end.set()
    thread.join()
    assert found[thread.native_id or 0] >= own[0]
    assert threading.get_native_id() in found
    assert thread.native_id not in (cpu_by_thread() or {})
