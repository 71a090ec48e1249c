"""Find out what limits a function: its bound type, and every figure."""

from __future__ import annotations

import json
import threading
import time

CONNECTION = threading.Lock()


def call_service() -> None:
    time.sleep(0.01)  # stands in for a request


def parse_json() -> list[int]:
    return json.loads(json.dumps(list(range(20_000))))


def call_service_and_parse() -> None:
    until = time.thread_time() + 0.008
    while time.thread_time() < until:
        pass
    time.sleep(0.008)


def call_service_with_lock() -> None:
    with CONNECTION:
        call_service()


def test_request_is_io_bound(concurrency):
    assert concurrency.bound(call_service) == "io"


def test_parsing_is_cpu_bound(concurrency):
    assert concurrency.bound(parse_json) == "cpu"


def test_request_and_parsing_are_mixed(concurrency):
    assert concurrency.bound(call_service_and_parse) == "mixed"


def test_request_with_lock_is_serialized(concurrency):
    """It waits, so threads could help. They do not, because only one at a time gets the lock."""
    assert concurrency.bound(call_service_with_lock) == "serialized"


def test_every_figure_without_verdict(concurrency):
    figures = concurrency.measure(call_service, threads=4, processes=2)
    print(figures)  # shown by `pytest -rP`
    assert figures.bound.kind == "io"
    assert set(figures.speedup) == {"threads", "processes"}
