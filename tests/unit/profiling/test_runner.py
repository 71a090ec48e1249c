"""The extra runs of a profiler: how often the body is called, and what there is no time for."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.core.model import Body
from pytest_concurrency.core.outcomes import Arm
from pytest_concurrency.profiling import stack_sampler
from pytest_concurrency.profiling.model import Profile
from pytest_concurrency.profiling.runner import Profiler

from ..make import outcome

needs_threads = pytest.mark.skipif(stack_sampler.unavailable() is not None, reason="threads cannot be sampled")


def arm(workers: int, wall: float, backend: str = "threads") -> Arm:
    return Arm(backend, workers, 1, (wall,), (0.0,), None, (0.0,))


def profile(function: Callable[[], Any], together: float, seconds: float = 60.0, backend: str = "threads") -> Profile:
    """Profile a body whose call was measured to take 50 ms, and ``together`` seconds where 4 threads run it."""
    found: list[Profile] = []
    measured = outcome(verdict="not_met", arms=(arm(1, 0.05, backend), arm(4, together, backend)))
    Profiler("cprofile", "wall", False, seconds, WorkerEnvironment(Path()), found.append)(
        Body(function, is_async=inspect.iscoroutinefunction(function)), [measured]
    )
    return found[0]


def test_tasks_that_a_body_leaves_are_ended(caplog: pytest.LogCaptureFixture) -> None:
    ended: list[bool] = []

    async def stay() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    async def body() -> None:
        stays.append(asyncio.create_task(stay()))
        await asyncio.sleep(0)

    stays: list[asyncio.Task[None]] = []
    profile(body, 0.05)
    assert len(ended) == len(stays) > 0
    stays.clear()
    gc.collect()
    assert caplog.text == ""


def test_two_async_functions_are_awaited(recwarn: pytest.WarningsRecorder) -> None:
    async def candidate() -> None:
        await asyncio.sleep(0)

    profile(candidate, 0.05, backend="compare")
    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []


@needs_threads
@pytest.mark.parametrize(("together", "calls"), [(0.05, 4), (0.2, 1)])
def test_threads_that_wait_for_each_other_make_fewer_calls(together: float, calls: int) -> None:
    by_thread: Counter[threading.Thread] = Counter()
    profile(lambda: by_thread.update([threading.current_thread()]), together)
    assert list(by_thread.values())[-4:] == [calls] * 4


@needs_threads
def test_threads_that_would_take_too_long_together_are_not_run() -> None:
    seen = profile(lambda: None, together=100.0)
    assert seen.standing is None
    assert "a run takes 100 s, and a profile may take max_time=60 s in all" in " ".join(seen.notes)
