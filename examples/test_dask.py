"""Dask, for more work than one machine can do. ``pip install "pytest-concurrency-perf[dask]"``.

By default, it starts a small cluster on this machine. To use your own cluster, write in pytest.ini:

    [pytest]
    concurrency_dask_address = tcp://scheduler.example:8786
"""

from __future__ import annotations

import time

import pytest

pytest.importorskip("distributed")


@pytest.mark.expect_speedup(executor="dask", workers=2, at_least=1.6)
def test_dask_workers_overlap():
    time.sleep(0.05)
