"""Any ``concurrent.futures.Executor``: a class, your own pool, or one that your conftest.py names.

The time that a task takes to reach a worker and to come back is not a part of the speedup. It is in the record
(``--concurrency-report=json:out.json``).
"""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest


def fetch() -> None:
    time.sleep(0.02)


@pytest.mark.expect_speedup(executor=ThreadPoolExecutor, workers=4, at_least=3)
def test_executor_class():
    fetch()


@pytest.mark.expect_io_bound
@pytest.mark.expect_speedup(executor=ProcessPoolExecutor, workers=2, at_least=1.5)
def test_executor_of_processes():
    fetch()


@pytest.mark.expect_speedup(executor="crawler", workers=4, at_least=3)
def test_executor_that_conftest_names():
    fetch()


def test_pool_of_the_program(concurrency):
    with ThreadPoolExecutor(max_workers=4) as pool:
        assert concurrency.speedup(fetch, executor=pool) >= 3
