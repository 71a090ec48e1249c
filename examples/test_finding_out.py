"""When you do not know what a piece of code is bound by, ask."""

from __future__ import annotations

import json
import threading
import time

LOCK = threading.Lock()


def ask_a_slow_neighbour() -> None:
    time.sleep(0.01)


def parse_much() -> list[int]:
    return json.loads(json.dumps(list(range(20_000))))


def both() -> None:
    until = time.thread_time() + 0.008
    while time.thread_time() < until:
        pass
    time.sleep(0.008)


def ask_one_at_a_time() -> None:
    with LOCK:
        time.sleep(0.01)


def test_waiting(concurrency):
    assert concurrency.bound(ask_a_slow_neighbour) == "io"


def test_computing(concurrency):
    assert concurrency.bound(parse_much) == "cpu"


def test_some_of_both(concurrency):
    assert concurrency.bound(both) == "mixed"


def test_waiting_in_a_queue(concurrency):
    """It waits, so threads should help. They do not: all wait for one lock."""
    assert concurrency.bound(ask_one_at_a_time) == "serialized"


def test_every_figure_and_no_verdict(concurrency):
    figures = concurrency.measure(ask_a_slow_neighbour, threads=4, processes=2)
    print(figures)  # shown by `pytest -rP`
    assert figures.bound.kind == "io"
    assert set(figures.speedup) == {"threads", "processes"}
