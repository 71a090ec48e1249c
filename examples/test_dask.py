"""Dask, for work that outgrows one machine. ``pip install "pytest-concurrency-perf[dask]"``.

Without more it starts a small cluster on this machine. Your own one is used with this in pytest.ini:

    [pytest]
    concurrency_dask_address = tcp://scheduler.example:8786
"""

from __future__ import annotations

import time

import pytest

pytest.importorskip("distributed")


@pytest.mark.expect_speedup(executor="dask", workers=2, at_least=1.6)
def test_waiting_in_dask():
    time.sleep(0.05)
