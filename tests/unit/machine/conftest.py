"""The priorities that tests raise threads to."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from pytest_concurrency.machine import priority
from pytest_concurrency.machine.priority import Priority


def state() -> tuple[int, int]:
    """Return policy (with its flag) and nice value of the calling thread."""
    thread = threading.get_native_id()
    return os.sched_getscheduler(thread), os.getpriority(os.PRIO_PROCESS, thread)


@pytest.fixture(params=["nice", "realtime"])
def higher(request: pytest.FixtureRequest) -> Priority:
    """A priority that this process may have."""
    if priority.is_realtime(os.sched_getscheduler(0)):
        pytest.skip("this session has real-time priority already")
    found = priority.choose(request.param)
    if found.kind != request.param:
        pytest.skip(found.why)
    return found


@pytest.fixture
def as_before() -> Iterator[None]:
    """Check that the thread of the test has in the end what it had before."""
    before = state()
    yield
    assert state() == before
