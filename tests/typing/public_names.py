"""What a type checker sees of the public names, in a file outside of the package; it is read and never run."""

from __future__ import annotations

import pytest
from typing_extensions import assert_type

import pytest_concurrency
from pytest_concurrency import Bound, Concurrency, Estimate, ExpectationNotMet, Figures, Gauge, Speedup


def fetch(url: str) -> bytes:
    return url.encode()


def one_by_one() -> None:
    pass


@pytest.mark.expect_speedup(threads=4, at_least=3)
def test_marker(concurrency_worker: object) -> None:
    pass


def test_speedup(concurrency: Concurrency) -> None:
    found = concurrency.speedup(fetch, "/small", threads=4)
    assert_type(found, Speedup)
    assert_type(found >= 3, bool)
    assert_type(concurrency.compare(one_by_one, one_by_one), Speedup)


def test_bound(concurrency: Concurrency) -> None:
    assert_type(concurrency.bound(fetch, "/small") == "io", bool)


def test_measure(concurrency: Concurrency) -> None:
    figures = concurrency.measure(fetch, "/small", threads=2)
    assert_type(figures, Figures)
    assert_type(figures.bound, Bound)
    assert_type(figures.speedup["threads"], Estimate)
    assert_type(figures.speedup["threads"].value, float)


def test_gauge(concurrency: Concurrency) -> None:
    with concurrency.in_flight() as gauge:
        assert_type(gauge.peak, int)


def test_version() -> None:
    assert_type(pytest_concurrency.__version__, str)


def test_raises(concurrency: Concurrency) -> None:
    with pytest.raises(ExpectationNotMet) as raised:
        assert concurrency.speedup(one_by_one, threads=4) >= 3
    assert_type(raised.value, ExpectationNotMet)


def peak_of(gauge: Gauge) -> int:
    return gauge.peak
