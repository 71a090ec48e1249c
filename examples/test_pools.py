"""Compare your own pool with a loop: ``ProcessPoolExecutor``, ``multiprocessing.Pool``, ``ThreadPoolExecutor``.

The pools are created once and kept, as in a program. Only ``map`` is measured. The last test finds out whether a larger
pool is worth it.
"""

from __future__ import annotations

import hashlib
import math
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.pool import Pool

import pytest

# The start method that works on every system, and together with threads. It takes longer to start, once.
SPAWN = multiprocessing.get_context("spawn")


def square_roots(upto: int) -> float:
    return sum(math.sqrt(number) for number in range(upto))


def slow_hash(password: str) -> str:
    """Compute without the GIL: hashlib, zlib, NumPy and others release it in long calls."""
    return hashlib.pbkdf2_hmac("sha256", password.encode(), b"salt", 50_000).hex()


MAX_TIME = "6s"  # on a busy machine, a test is undecided after that time
# Ten milliseconds or more each: for shorter jobs, sending them to the workers and back takes a large share.
JOBS = [150_000, 150_001]
PASSWORDS = ["correct horse", "battery staple"]


@pytest.fixture(scope="module")
def executor() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(max_workers=2, mp_context=SPAWN) as executor:
        yield executor


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with SPAWN.Pool(processes=2) as pool:
        yield pool
        pool.close()
        pool.join()


@pytest.mark.usefixtures("two_cpus")
def test_process_pool_executor_map(concurrency, executor):
    speedup = concurrency.compare(
        lambda: [square_roots(job) for job in JOBS],
        lambda: list(executor.map(square_roots, JOBS)),
        same_result=True,
        max_time=MAX_TIME,
    )
    assert speedup >= 1.3


@pytest.mark.usefixtures("two_cpus")
def test_multiprocessing_pool_map(concurrency, pool):
    speedup = concurrency.compare(
        lambda: [square_roots(job) for job in JOBS],
        lambda: pool.map(square_roots, JOBS, chunksize=1),
        same_result=True,
        max_time=MAX_TIME,
    )
    assert speedup >= 1.3


@pytest.mark.usefixtures("two_cpus")
def test_thread_pool_executor_map_of_computing_that_releases_the_gil(concurrency):
    with ThreadPoolExecutor(max_workers=2) as executor:
        speedup = concurrency.compare(
            lambda: [slow_hash(password) for password in PASSWORDS],
            lambda: list(executor.map(slow_hash, PASSWORDS)),
            same_result=True,
            max_time=MAX_TIME,
        )
        assert speedup >= 1.3


def check_link(number: int) -> None:
    """Stands for a request that takes 5 ms."""
    time.sleep(0.005)


def check_links(workers: int, total: int) -> None:
    with ThreadPoolExecutor(max_workers=workers) as executor:
        list(executor.map(check_link, range(total)))


def test_more_threads_in_the_pool_pay_off(concurrency):
    assert concurrency.scaling(check_links, workers=(1, 4, 10), total=20, max_time=MAX_TIME) >= 0.5
