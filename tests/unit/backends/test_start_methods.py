"""Process pools that a test makes: how their workers start, and what is said where that does harm."""

from __future__ import annotations

import functools
import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from pytest_concurrency.backends import executors, start_methods
from pytest_concurrency.backends.base import Hung
from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.backends.executor_group import ExecutorWorkers
from pytest_concurrency.backends.executors import Pool
from pytest_concurrency.core.errors import CannotMeasure
from pytest_concurrency.core.model import Body, ExecutorChoice

pytestmark = pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="there is no fork here")
LOCK = multiprocessing.Lock()


@pytest.fixture(autouse=True)
def as_before_python_3_14(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let fork be the default on Linux, and restore what this process has by default."""
    before = multiprocessing.get_start_method(allow_none=True)
    monkeypatch.setattr(start_methods.sys, "platform", "linux")
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: ["fork", "spawn", "forkserver"])
    multiprocessing.set_start_method("fork", force=True)
    yield
    multiprocessing.set_start_method(before, force=True)


def method_of_a_made_pool(monkeypatch: pytest.MonkeyPatch, threads: int, wanted: str = "auto") -> tuple[str, str]:
    monkeypatch.setattr(start_methods, "_threads_alive", lambda: threads)
    pool = executors.open_pool(
        ExecutorChoice("pool", ProcessPoolExecutor), 1, WorkerEnvironment(Path.cwd(), start_method=wanted)
    )
    assert pool.end is not None
    pool.end()
    assert multiprocessing.get_start_method() == "fork"
    return pool.executor._mp_context.get_start_method(), pool.note  # type: ignore[attr-defined]


def test_pool_that_is_made_while_threads_run_does_not_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    method, note = method_of_a_made_pool(monkeypatch, threads=3)
    assert method == "forkserver"
    assert "start method forkserver: the test process has 3 threads, so forking it is not safe" in note


def test_pool_that_is_made_by_a_process_of_one_thread_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_methods.threading, "active_count", lambda: 1)
    assert method_of_a_made_pool(monkeypatch, threads=1) == ("fork", "made by ProcessPoolExecutor")


def test_pool_takes_the_start_method_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert method_of_a_made_pool(monkeypatch, threads=3, wanted="fork")[0] == "fork"
    assert method_of_a_made_pool(monkeypatch, threads=3, wanted="spawn")[0] == "spawn"


def test_default_that_the_project_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_methods, "_threads_alive", lambda: 3)
    multiprocessing.set_start_method("spawn", force=True)
    with start_methods.default_start_method("auto") as said:
        assert multiprocessing.get_start_method() == "spawn"
    assert said == ""


def use_the_lock() -> None:
    with LOCK:
        pass


def test_lock_that_workers_of_a_pool_would_each_have_is_unmeasurable() -> None:
    """A lock that each worker has for itself would let a body that is serialized look parallel."""
    given = ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))
    with pytest.raises(CannotMeasure, match=r"LOCK \(multiprocessing.synchronize.Lock\), which only forked processes"):
        ExecutorWorkers(Body(use_the_lock), 2, "mine", Pool(given), Path(__file__).parent)
    given.shutdown()


def wait_for_ever() -> None:
    threading.Event().wait()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_hang_in_a_pool_that_forks_names_the_fork() -> None:
    given = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))
    body = Body(wait_for_ever)
    group = ExecutorWorkers(body, 1, "mine", Pool(given, functools.partial(executors.end, given)), Path.cwd())
    with pytest.raises(Hung, match=r"with\s+mp_context=multiprocessing\.get_context\('forkserver'\)"):
        group.run(1, 1, 0.2)
    group.close()
