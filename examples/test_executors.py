"""Any ``concurrent.futures.Executor``: your own pool, or one that your conftest.py names.

How long a task takes to reach a worker and to come back is measured apart: it is in the report's
record (``--concurrency-report=json:out.json``), and not in the speedup.
"""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest


def fetch() -> None:
    time.sleep(0.02)


@pytest.mark.expect_speedup(executor=ThreadPoolExecutor, workers=4, at_least=3)
def test_an_executor_that_is_made_for_the_test():
    fetch()


@pytest.mark.expect_io_bound
@pytest.mark.expect_speedup(executor=ProcessPoolExecutor, workers=2, at_least=1.5)
def test_its_workers_may_be_processes():
    fetch()


@pytest.mark.expect_speedup(executor="crawler", workers=4, at_least=3)
def test_an_executor_that_conftest_names():
    fetch()


def test_the_pool_that_the_program_uses(concurrency):
    with ThreadPoolExecutor(max_workers=4) as pool:
        assert concurrency.speedup(fetch, executor=pool) >= 3
