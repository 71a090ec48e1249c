"""Set-ups and their traits."""

from __future__ import annotations

import pytest

from pytest_concurrency.core.model import ExecutorChoice
from pytest_concurrency.engine.plan import WorkerSetup


@pytest.mark.parametrize(
    ("setup", "traits"),
    [
        (WorkerSetup("threads", 4), {"shares_gil", "renewable"}),
        (WorkerSetup("tasks", 4), {"shares_gil", "one_thread"}),
        (WorkerSetup("processes", 4), {"renewable"}),
        (WorkerSetup("compare", 2), {"own_code"}),
        (WorkerSetup("dask", 2, executor=ExecutorChoice("dask")), {"renewable"}),
        (WorkerSetup("executor", 2, executor=ExecutorChoice("mine", object())), set()),
    ],
    ids=lambda value: value.backend if isinstance(value, WorkerSetup) else "",
)
def test_traits(setup: WorkerSetup, traits: set[str]) -> None:
    names = ("one_thread", "own_code", "renewable", "shares_gil")
    assert {name for name in names if getattr(setup, name)} == traits


def test_workers_that_sustain_a_load_are_others() -> None:
    assert WorkerSetup("threads", 4).key != WorkerSetup("threads", 4, sustained=1.0).key
