"""A verdict on workers that get in each other's way names the line at which they do."""

from __future__ import annotations

import sys

import pytest
from conftest import Suite, text_of

BODIES = {
    "threads at a lock": (
        """
LOCK = threading.Lock()

@pytest.mark.expect_speedup(threads=4, at_least=3)
def test_body():
    time.sleep(0.001)
    with LOCK:  # here
        time.sleep(0.01)
"""
    ),
    "overlap": (
        """
SLOTS = queue.Queue()
SLOTS.put("the only one")

@pytest.mark.expect_io_bound
def test_body():
    slot = SLOTS.get()  # here
    time.sleep(0.01)
    SLOTS.put(slot)
"""
    ),
    "computing in a lock": (
        """
LOCK = threading.Lock()
BLOB = bytes(1 << 20)

@pytest.mark.expect_speedup(threads=2, at_least=1.95)
def test_body():
    with LOCK:  # here
        hashlib.sha256(BLOB * 16).digest()
"""
    ),
    "tasks at a lock": (
        """
LOCKS = {}

@pytest.mark.expect_speedup(tasks=5, at_least=3)
async def test_body():
    lock = LOCKS.setdefault(asyncio.get_running_loop(), asyncio.Lock())
    async with lock:  # here
        await asyncio.sleep(0.01)
"""
    ),
    "tasks behind a blocking call": (
        """
@pytest.mark.expect_speedup(tasks=5, at_least=3)
async def test_body():
    await asyncio.sleep(0.002)
    time.sleep(0.01)  # here
"""
    ),
    "a point of a curve": (
        """
LOCK = threading.Lock()

@pytest.mark.expect_scaling(threads=(1, 3))
def test_body():
    with LOCK:  # here
        time.sleep(0.01)
"""
    ),
}
IMPORTS = "import asyncio\nimport hashlib\nimport queue\nimport threading\nimport time\n"


@pytest.mark.parametrize("kind", BODIES)
def test_the_line_is_named(suite: Suite, kind: str) -> None:
    result = suite(IMPORTS + BODIES[kind])
    if kind == "computing in a lock" and result.parseoutcomes().get("skipped"):
        pytest.skip("undecided: the tests beside this one left it no second CPU")
    result.assert_outcomes(failed=1, passed=1)
    place = next(line for line in result.outlines if line.startswith("Where: "))
    assert "in test_body:" in place
    assert "# here" in place


SILENT = {
    "processes": (
        """
@pytest.mark.expect_speedup(processes=2, at_least=1.6)
def test_body(tmp_path_factory):
    with open(__file__) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        time.sleep(0.01)
"""
    ),
    "too fast": (
        """
@pytest.mark.expect_speedup(threads=4, at_most=1.5)
def test_body():
    time.sleep(0.01)
"""
    ),
}


@pytest.mark.parametrize("kind", SILENT)
def test_no_line_is_named_where_there_is_none_to_tell(suite: Suite, kind: str) -> None:
    pytest.importorskip("fcntl")
    result = suite("import fcntl\nimport sys\nimport time\n" + SILENT[kind])
    result.assert_outcomes(failed=1, passed=1)
    assert "Where: " not in text_of(result)


@pytest.mark.skipif(not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="needs the GIL")
def test_computing_under_the_gil_is_named_by_its_own_line_if_at_all(suite: Suite) -> None:
    result = suite(
        """
@pytest.mark.expect_speedup(threads=2, at_least=1.6)
def test_body():
    sum(number * number for number in range(200_000))
"""
    )
    result.assert_outcomes(failed=1, passed=1)
    places = [line for line in result.outlines if line.startswith("Where: ")]
    assert all("sum(number * number" in place for place in places)


def test_a_body_that_fails_in_the_extra_round_does_not_change_its_verdict(suite: Suite) -> None:
    result = suite(
        """
import threading
import time

LOCK = threading.Lock()

@pytest.mark.expect_speedup(threads=4, at_least=3)
@pytest.mark.expect_io_bound
def test_body():
    if any(thread.name == "concurrency-looker" for thread in threading.enumerate()):
        raise OSError("once more was too often")
    with LOCK:
        time.sleep(0.01)
"""
    )
    result.assert_outcomes(failed=1, passed=1)
    assert "expect_speedup(threads=4, at_least=3) is not met" in text_of(result)
    assert "expect_io_bound is not met" in text_of(result)
    assert "Where: " not in text_of(result)
