"""Executors of other libraries, of which no more is known than the interface of ``concurrent.futures.Executor``."""

from __future__ import annotations

import functools
import multiprocessing
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pytest_concurrency.backends import executors, hung
from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.backends.executor_group import ExecutorWorkers
from pytest_concurrency.backends.executors import Pool
from pytest_concurrency.core.errors import BadArgument, WorkerLost
from pytest_concurrency.core.model import Body, ExecutorChoice

ENDED: list[object] = []


class Wrapped(Executor):
    """As wrappers are written that add tracing to each call."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.pool = ThreadPoolExecutor(workers)

    def submit(self, function: Callable[..., Any], /, *args: Any, **values: Any) -> Future[Any]:
        return self.pool.submit(function, *args, **values)

    def shutdown(self, wait: bool = True) -> None:  # type: ignore[override]
        self.pool.shutdown(wait)
        ENDED.append(self)


class WithoutArguments(Wrapped):
    def shutdown(self) -> None:  # type: ignore[override]
        self.pool.shutdown()
        ENDED.append(self)


class ByKeyword(Wrapped):
    def __init__(self, *, max_workers: int) -> None:
        super().__init__(max_workers)


class PrefixFirst(Wrapped):
    def __init__(self, prefix: str = "", max_workers: int = 1) -> None:
        assert prefix == ""
        super().__init__(max_workers)


class RaisesAtItsEnd(Wrapped):
    def shutdown(self, wait: bool = True) -> None:  # type: ignore[override]
        super().shutdown(wait)
        raise ConnectionError("the server has gone")


class RefusesSecond(Wrapped):
    """Refuses with what is no ``Exception``, as asyncio's CancelledError."""

    first: Future[Any] | None = None

    def submit(self, function: Callable[..., Any], /, *args: Any, **values: Any) -> Future[Any]:
        if self.first is not None:
            raise GeneratorExit("no more")
        self.first = Future()
        return self.first


class GivesNoFuture(Wrapped):
    def submit(self, function: Callable[..., Any], /, *args: Any, **values: Any) -> Any:
        return self.pool.submit(function, *args, **values).result


class SetsSystemExit(Wrapped):
    def submit(self, function: Callable[..., Any], /, *args: Any, **values: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(SystemExit("the connection was lost"))
        return future


class KeepsOtherThings(Wrapped):
    """Has names of the standard library's pools for something else."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self._threads = 4
        self._processes = [object()]


@pytest.fixture(autouse=True)
def _none_ended() -> None:
    ENDED.clear()


def pool_of(given: Any, workers: int = 2) -> Pool:
    return executors.open_pool(ExecutorChoice("mine", given), workers, WorkerEnvironment(Path.cwd()))


def open_group(given: Any) -> ExecutorWorkers:
    return ExecutorWorkers(Body(lambda: None), 2, "mine", pool_of(given), Path.cwd())


@pytest.mark.parametrize("maker", [Wrapped, WithoutArguments, ByKeyword, PrefixFirst, KeepsOtherThings])
def test_made_executor_with_own_signatures_runs_a_batch_and_is_ended(maker: type[Wrapped]) -> None:
    group = open_group(maker)
    assert len(group.run(2, 1, 10.0).readings) == 2
    group.close()
    (ended,) = ENDED
    assert isinstance(ended, maker)
    assert ended.workers == 2


def test_executor_of_the_test_stays_open() -> None:
    given = Wrapped(2)
    open_group(given).close()
    assert ENDED == []
    given.shutdown()


def test_partial_with_its_own_number_keeps_it() -> None:
    pool = pool_of(functools.partial(ThreadPoolExecutor, 3))
    assert pool.executor._max_workers == 3  # type: ignore[attr-defined]
    assert pool.end is not None
    pool.end()


def test_shutdown_that_raises_is_a_warning() -> None:
    group = open_group(RaisesAtItsEnd)
    with pytest.warns(RuntimeWarning, match=r"RaisesAtItsEnd.shutdown\(\) raised ConnectionError: the server has gone"):
        group.close()


def test_shutdown_that_raises_hides_no_error_of_the_test_where_warnings_are_errors() -> None:
    group = open_group(RaisesAtItsEnd)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        group.close()
    assert len(ENDED) == 1


def test_submit_that_raises_cancels_what_was_submitted_before() -> None:
    given = RefusesSecond(2)
    with pytest.raises(WorkerLost, match=r"the executor has failed\.\n\nCause: GeneratorExit: no more\."):
        open_group(given)
    assert given.first is not None
    assert given.first.cancelled()
    given.shutdown()


def test_submit_that_returns_no_future_is_named() -> None:
    given = GivesNoFuture(2)
    with pytest.raises(WorkerLost, match=r"submit\(\) did not return a concurrent\.futures\.Future"):
        open_group(given)
    given.shutdown()


def test_future_with_system_exit_does_not_end_the_session() -> None:
    with pytest.raises(WorkerLost, match=r"\(worker 1 of 2\)\.\n\nCause: SystemExit: the connection was lost"):
        open_group(SetsSystemExit)


def test_maker_that_raises_is_named_with_its_place_and_what_it_was_given() -> None:
    def fails(workers: int) -> Executor:
        raise LookupError("no cluster")

    with pytest.raises(BadArgument) as caught:
        pool_of(fails)
    message = caught.value.why
    assert "executor=mine: fails raised LookupError: no cluster" in message
    assert f"{__file__}:" in message
    assert "called with the number of workers, here 2" in message


def test_process_without_kill_is_terminated() -> None:
    """Of loky's processes ``kill`` raises AttributeError."""
    process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    process.start()
    process.kill = functools.partial(getattr, object(), "kill")  # type: ignore[method-assign]
    hung.kill(process)
    process.join(20)
    assert process.exitcode is not None
    assert process.exitcode < 0
