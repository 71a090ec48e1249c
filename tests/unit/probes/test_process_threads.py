"""What threads of this process had spent at several times; the readings are written down, not measured."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes import process_threads
from pytest_concurrency.probes.ended_tasks import ENDED
from pytest_concurrency.probes.process_threads import ProcessThreads

Spent = dict[int, tuple[float, float]]  # by thread: CPU time and run-queue delay


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ProcessThreads]:
    """Return what makes readings of the given threads, one a second; the n-th begins at n and ends at n + 0.5."""

    def made(*each: Spent) -> ProcessThreads:
        current: Spent = {}
        ticks = itertools.count()
        monkeypatch.setattr(CLOCKS, "wall", lambda: next(ticks) / 2)
        monkeypatch.setattr(process_threads, "unavailable", lambda: None)
        monkeypatch.setattr(process_threads.task_tree, "threads_in", lambda process: list(current))
        monkeypatch.setattr(process_threads, "schedstat", lambda thread: current.get(thread))
        current.update(each[0])
        threads = ProcessThreads()
        for spent in each[1:]:
            current.clear()
            current.update(spent)
            threads.read()
        return threads

    return made


def test_delay_is_that_of_the_readings_around_an_interval(read: Callable[..., ProcessThreads]) -> None:
    threads = read({1: (0.0, 1.0)}, {1: (0.0, 2.0)}, {1: (0.0, 4.0)}, {1: (0.0, 8.0)})
    assert threads.delay(1.5, 2.0) == 2.0  # between the second reading, just ended, and the third, just begun
    assert threads.delay(1.4, 2.1) == 7.0  # in the second reading and in the third: from the first to the fourth
    assert threads.delay(0.0, 9.0) == 7.0


def test_thread_that_ends_keeps_what_it_had_spent(read: Callable[..., ProcessThreads]) -> None:
    threads = read({1: (1.0, 1.0), 2: (5.0, 5.0)}, {1: (2.0, 3.0), 2: (6.0, 7.0)}, {1: (2.0, 3.0)})
    assert threads.delay(0.5, 2.0) == 4.0
    assert threads.cpu(()) == 2.0
    assert threads.cpu({2}) == 1.0


def test_thread_that_starts_later_counts_from_its_start(read: Callable[..., ProcessThreads]) -> None:
    threads = read({1: (1.0, 1.0)}, {1: (1.0, 1.0), 2: (0.25, 0.5)})
    assert (threads.cpu(()), threads.delay(0.5, 1.0)) == (0.25, 0.5)


def test_thread_that_reports_its_end_is_not_missed(
    read: Callable[..., ProcessThreads], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = read({})
    monkeypatch.setattr(ENDED, "threads", lambda: {7: (0.25, 0.5)})
    threads.read()
    assert (threads.cpu(()), threads.delay(0.5, 1.0)) == (0.25, 0.5)
