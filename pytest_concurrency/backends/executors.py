"""Executors by name, by what makes them, or as they are."""

from __future__ import annotations

import contextlib
import difflib
import inspect
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any

from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.backends.executor_group import Pool, end_of
from pytest_concurrency.core.errors import BadArgument, CannotMeasure
from pytest_concurrency.core.model import ExecutorChoice

_DASK_ANSWERS = 5.0  # seconds that a scheduler gets


def open_pool(choice: ExecutorChoice, workers: int, around: WorkerEnvironment) -> Pool:
    """Return the executor that was asked for.

    :raises BadArgument: no one knows the name, or what it stands for gives no executor.
    :raises CannotMeasure: its library is not installed.
    """
    if choice.given is not None:
        return _pool_of(choice.given, workers, f"executor={choice.name}")
    registered = around.executors()
    check(choice, registered)
    if choice.name in registered:
        return _pool_of(registered[choice.name], workers, f"executor={choice.name!r}")
    return _BUILT_IN[choice.name](workers, around)


def check(choice: ExecutorChoice, registered: Mapping[str, Any]) -> None:
    """Find out whether there is such an executor, without making one.

    :raises BadArgument: no one knows the name.
    """
    names = [*_BUILT_IN, *registered]
    if choice.given is not None or choice.name in names:
        return
    near = difflib.get_close_matches(choice.name, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise BadArgument(
        f"executor={choice.name!r}: there is no backend of that name.{hint} There are {', '.join(names)}. "
        "The hook pytest_concurrency_backends adds more (in conftest.py or a plugin)."
    )


def _pool_of(given: Any, workers: int, where: str) -> Pool:
    if isinstance(given, Executor):
        return Pool(given, note="an executor of the test's own")
    made = given(workers) if _takes_an_argument(given) else given()
    if not isinstance(made, Executor):
        raise BadArgument(
            f"{where}: {getattr(given, '__name__', given)!s} gave {made!r:.100}, "
            "and a concurrent.futures.Executor is needed."
        )
    return Pool(made, end_of(made), f"made by {getattr(given, '__name__', type(given).__name__)}")


def _takes_an_argument(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(parameter.kind is not parameter.KEYWORD_ONLY for parameter in parameters)


def _loky(workers: int, around: WorkerEnvironment) -> Pool:
    try:
        from loky import ProcessPoolExecutor  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise _missing("loky", "loky") from None
    executor = ProcessPoolExecutor(max_workers=workers)

    def end() -> None:
        executor.shutdown(wait=True, kill_workers=True)

    return Pool(executor, end, "worker processes of loky")


def _dask(workers: int, around: WorkerEnvironment) -> Pool:
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise _missing("distributed", "dask") from None
    stack = contextlib.ExitStack()
    try:
        if around.dask_address:
            try:
                client = stack.enter_context(Client(around.dask_address, timeout=_DASK_ANSWERS, set_as_default=False))
            except (OSError, ValueError) as error:
                raise CannotMeasure(
                    f"no Dask scheduler answers at {around.dask_address} ({error}): "
                    "see --concurrency-dask-address or the ini key concurrency_dask_address"
                ) from None
            note = f"the Dask cluster at {around.dask_address}"
        else:
            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    host="127.0.0.1",
                    dashboard_address=None,
                    silence_logs=50,
                )
            )
            client = stack.enter_context(Client(cluster, set_as_default=False))
            note = "a local Dask cluster, one thread a worker"
        client.wait_for_workers(1, timeout=30)
    except BaseException:
        stack.close()
        raise
    executor = client.get_executor(pure=False, retries=0)
    return Pool(executor, stack.close, note)


def _missing(library: str, extra: str) -> CannotMeasure:
    return CannotMeasure(
        f'executor={extra!r} needs {library}, which is not installed: pip install "pytest-concurrency-perf[{extra}]"'
    )


_BUILT_IN: dict[str, Callable[[int, WorkerEnvironment], Pool]] = {"loky": _loky, "dask": _dask}
