"""Download pages, or count primes: the same question, and two different answers.

One function waits for a server, the other one computes. Read this file from the top: find out what limits each,
choose a tool, and keep the result as a test that fails when the speedup is lost.
"""

from __future__ import annotations

import math
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.request import urlopen

import pytest

has_gil = getattr(sys, "_is_gil_enabled", lambda: True)()


def download(url: str) -> bytes:
    with urlopen(url, timeout=10) as response:
        return response.read()


def count_primes(below: int = 5_000) -> int:
    return sum(all(number % divisor for divisor in range(2, math.isqrt(number) + 1)) for number in range(2, below))


# 1. What is it? On the command line, `pytest-concurrency-perf explore test_article:count_primes` says the same.


def test_download_is_io_bound(concurrency, pages):
    assert concurrency.bound(download, pages[0]) == "io"


def test_count_primes_is_cpu_bound(concurrency):
    assert concurrency.bound(count_primes) == "cpu"


# 2. Which tool helps? Threads for what waits. Three threads are 3x as fast at best, so 2x leaves room for noise.


@pytest.mark.expect_speedup(threads=3, at_least=2)
def test_threads_speed_up_download(pages):
    download(pages[0])


# Processes for what computes. Two processes are 2x as fast at best.


@pytest.mark.usefixtures("two_cpus")
@pytest.mark.expect_speedup(processes=2, at_least=1.4)
def test_processes_speed_up_count_primes():
    assert count_primes() == 669


# This one says why. It fails on the day when threads are enough: on a free-threaded build of Python.


@pytest.mark.skipif(not has_gil, reason="this Python has no GIL, so threads compute in parallel")
@pytest.mark.expect_speedup(threads=2, at_most=1.3)
def test_threads_do_not_speed_up_count_primes():
    count_primes()


# 3. Your own code: a loop, and what has replaced it.


def download_one_by_one(urls: list[str]) -> list[bytes]:
    return [download(url) for url in urls]


def download_with_threads(urls: list[str]) -> list[bytes]:
    with ThreadPoolExecutor(max_workers=len(urls)) as pool:
        return list(pool.map(download, urls))


def test_thread_pool_is_faster_than_loop(concurrency, pages):
    speedup = concurrency.compare(
        baseline=lambda: download_one_by_one(pages),
        candidate=lambda: download_with_threads(pages),
        same_result=True,
    )
    assert speedup >= 2


def test_three_downloads_overlap(concurrency, pages):
    """Without a clock: each download waits until three are under way."""
    meeting = concurrency.in_flight(meet=3)

    def download_with_others(url: str) -> bytes:
        with meeting:
            return download(url)

    with ThreadPoolExecutor(max_workers=3) as pool:
        list(pool.map(download_with_others, pages))


# 4. Somewhere a lock is added. This is the failure that a test then shows.

CONNECTION = threading.Lock()


def download_with_lock(url: str) -> bytes:
    with CONNECTION:
        return download(url)


def test_lock_takes_the_speedup_away(concurrency, pages):
    with pytest.raises(AssertionError, match=r"(?s)serialized.*test_article\.py:\d+ in download_with_lock"):
        assert concurrency.speedup(download_with_lock, pages[0], threads=3) >= 2
