"""Whose a thread is that computes beside the test body."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator

import pytest

from pytest_concurrency.probes import thread_clock
from pytest_concurrency.probes.bystanders import Bystanders, native_ids

pytestmark = pytest.mark.skipif(thread_clock.unavailable() is not None, reason="CPU time of threads cannot be read")


def compute(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


class Server:
    """A thread that was there before the body, and computes for any that ask it to."""

    def __init__(self) -> None:
        self._requests: queue.SimpleQueue[tuple[float, threading.Event] | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while (request := self._requests.get()) is not None:
            compute(request[0])
            request[1].set()

    def ask(self, seconds: float) -> None:
        done = threading.Event()
        self._requests.put((seconds, done))
        done.wait()

    def close(self) -> None:
        self._requests.put(None)
        self.thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def busy() -> Iterator[threading.Thread]:
    """A thread that computes for itself, all the time."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            compute(0.001)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield thread
    stop.set()
    thread.join()


def test_the_calling_thread_and_the_one_that_runs_the_body_are_no_bystanders(server: Server) -> None:
    assert threading.get_native_id() not in native_ids()
    assert server.thread.native_id in native_ids()
    assert server.thread.native_id not in native_ids(runs_body=server.thread.native_id)


def timed(server: Server) -> float:
    began = time.monotonic()
    server.ask(0.01)
    return time.monotonic() - began


def test_thread_that_computes_in_batches_only_is_the_bodys(server: Server) -> None:
    known = Bystanders([server.thread.native_id or 0])
    before = known.used()
    seconds = timed(server)
    assert known.computed(before) >= 0.009
    # On a busy machine its time may run out: it is asked again after a later batch, as in a measurement.
    for _ in range(20):
        whose = known.ask(before, seconds, lambda: timed(server))
        if whose != "unclear":
            break
        before, seconds = known.used(), timed(server)
    assert whose == "the body's"
    assert not known.ids


def test_thread_that_computes_in_pauses_too_stays_a_bystander(server: Server, busy: threading.Thread) -> None:
    known = Bystanders([busy.native_id or 0])
    before = known.used()
    time.sleep(0.1)
    batches = []

    def batch() -> float:
        batches.append(0.1)
        time.sleep(0.1)
        return 0.1

    assert known.ask(before, 0.1, batch) == "theirs"
    assert known.ids == {busy.native_id}
    assert len(batches) <= 1, "one pause tells"
    assert known.ask(before, 0.1, batch) == "theirs"
    assert len(batches) <= 1, "no one asks twice"


def test_it_is_unclear_whose_a_thread_is_that_computed_once(server: Server) -> None:
    known = Bystanders([server.thread.native_id or 0])
    before = known.used()
    seconds = timed(server)
    assert known.ask(before, seconds, lambda: time.sleep(0.01) or 0.01) == "unclear"  # type: ignore[func-returns-value]
    assert known.ids


def test_a_batch_in_which_it_computes_next_to_nothing_asks_no_more(server: Server) -> None:
    """Once, a fixture's server that had accepted connections in the first batch left every later one unclear."""
    known = Bystanders([server.thread.native_id or 0])
    before = known.used()
    seconds = timed(server)
    known.ask(before, seconds, lambda: time.sleep(0.01) or 0.01)  # type: ignore[func-returns-value]
    before = known.used()
    server.ask(0.001)
    assert known.computed(before) > 0
    assert known.ask(before, 0.1, lambda: timed(server)) == "theirs"


def test_threads_that_compute_little_each_and_much_together_stay_open() -> None:
    """Those of a pool that an earlier test has made: one of them in the first batch, and all of them in later ones."""
    pool = [Server() for _ in range(4)]
    known = Bystanders([server.thread.native_id or 0 for server in pool])
    before = known.used()
    for server in pool:
        server.ask(0.02)
    known.ask(before, 0.1, lambda: time.sleep(0.01) or 0.01)  # type: ignore[func-returns-value]
    before = known.used()
    for server in pool:
        server.ask(0.008)
    assert known.ask(before, 0.1, lambda: 0.1) == "unclear"
    for server in pool:
        server.close()


def test_bystander_that_has_ended_takes_nothing_off_the_others() -> None:
    """Once, all that it had ever computed was taken off, and a body that waits read as one that others compute for."""
    server = Server()
    server.ask(0.05)
    beside = Bystanders([server.thread.native_id or 0])
    used, active = beside.used(), beside.active()
    server.close()
    assert 0 <= beside.computed(used) < 0.02
    assert thread_clock.growth(active, beside.active()) >= 0
    assert beside.ask(used, 0.01, lambda: 0.01) == "theirs"
