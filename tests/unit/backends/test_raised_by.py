"""Which exception counts where several workers raise, or some wait for one that has raised."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_concurrency.backends import open_workers
from pytest_concurrency.backends.base import Raised, WorkerGroup
from pytest_concurrency.backends.current_worker import CurrentWorker
from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.core.model import Body, ExecutorChoice
from pytest_concurrency.engine.plan import WorkerSetup

HERE = Path(__file__).parent
WORKER = CurrentWorker()


def skips_and_fails() -> None:
    if WORKER.index == 0:
        pytest.skip("no connection left")
    raise ValueError("lost an update")


def skips() -> None:
    pytest.skip("no connection left")


def raises_and_waits() -> None:
    if WORKER.index == 0:
        raise ValueError("the reason")
    time.sleep(2.0)


SETUPS = [
    WorkerSetup("threads", 2),
    WorkerSetup("processes", 2),
    WorkerSetup("pool", 2, executor=ExecutorChoice("pool", ThreadPoolExecutor)),
]


@pytest.fixture(params=SETUPS, ids=lambda setup: setup.backend)
def start(request: pytest.FixtureRequest) -> Iterator[Callable[[Callable[[], None]], WorkerGroup]]:
    """Starts two workers with a body."""
    groups = []

    def start(function: Callable[[], None]) -> WorkerGroup:
        groups.append(open_workers(request.param, Body(function), WorkerEnvironment(HERE, start_method="fork")))
        return groups[0]

    yield start
    for group in groups:
        group.close()


def test_skip_of_one_worker_hides_no_failure_of_another(start: Callable[..., WorkerGroup]) -> None:
    with pytest.raises(Raised) as caught:
        start(skips_and_fails).run(2, 1, 30.0)
    assert repr(caught.value.error) == "ValueError('lost an update')"
    assert caught.value.worker.endswith("worker 2 of 2")


def test_skip_of_all_workers_is_a_skip(start: Callable[..., WorkerGroup]) -> None:
    with pytest.raises(Raised) as caught:
        start(skips).run(2, 1, 30.0)
    assert type(caught.value.error).__name__ == "Skipped"
    assert caught.value.worker.endswith("worker 1 of 2")


def test_exception_counts_where_another_worker_waits_in_vain(start: Callable[..., WorkerGroup]) -> None:
    with pytest.raises(Raised) as caught:
        start(raises_and_waits).run(2, 1, 0.5)
    assert repr(caught.value.error) == "ValueError('the reason')"
    assert caught.value.hint.startswith("worker 2 of 2 did not end: ")
