"""Executors for ``executor=``: found by name, made by a factory, or given as objects."""

from __future__ import annotations

import contextlib
import difflib
import functools
import inspect
import threading
import traceback
import warnings
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any

from pytest_concurrency.backends import hung
from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.backends.start_methods import default_start_method
from pytest_concurrency.core.errors import BadArgument, CannotMeasure
from pytest_concurrency.core.model import ExecutorChoice
from pytest_concurrency.machine.clocks import CLOCKS

_BY_KEYWORD = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
_ENDING = 1.0  # seconds that processes get to end by themselves, and again after they were killed
_DASK_WORKERS = 30.0  # seconds within which its first worker has to appear
_DASK_ANSWERS = 5.0  # seconds that a Dask scheduler gets to answer


# What a name given as executor= was probably meant as: a kind of workers, and its class in concurrent.futures.
_POOLS = {
    "threads": "ThreadPoolExecutor",
    "processes": "ProcessPoolExecutor",
    "interpreters": "InterpreterPoolExecutor",
}


@dataclass(frozen=True, slots=True)
class Pool:
    """An executor, the function that ends it (None if the executor is the user's own), and a note for reports."""

    executor: Executor
    end: Callable[[], None] | None = None
    note: str = ""


def open_pool(choice: ExecutorChoice, workers: int, around: WorkerEnvironment) -> Pool:
    """Return the executor that was asked for.

    :raises BadArgument: the name is unknown, or the factory raises an exception or returns no executor.
    :raises CannotMeasure: its library is not installed.
    """
    if choice.given is not None:
        return _pool_of(choice.given, workers, f"executor={choice.name}", around.start_method)
    registered = around.executors()
    check(choice, registered)
    if choice.name in registered:
        return _pool_of(registered[choice.name], workers, f"executor={choice.name!r}", around.start_method)
    return _BUILT_IN[choice.name](workers, around)


def check(choice: ExecutorChoice, registered: Mapping[str, Any]) -> None:
    """Check that the executor exists, without making one.

    :raises BadArgument: the name is unknown.
    """
    names = [*_BUILT_IN, *registered]
    if choice.given is not None or choice.name in names:
        return
    near = difflib.get_close_matches(choice.name, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    for own, pool in _POOLS.items():
        if choice.name in (own, pool):
            hint = f" Write {own}=4, or give the class itself: executor={pool}."
    raise BadArgument(
        f"executor={choice.name!r}: there is no backend of that name.{hint} There are {', '.join(names)}. "
        "The hook pytest_concurrency_backends adds more (in conftest.py or a plugin)."
    )


def _pool_of(given: Any, workers: int, where: str, start_method: str) -> Pool:
    if isinstance(given, Executor):
        return Pool(given, note="an executor of the test's own")
    name = getattr(given, "__name__", type(given).__name__)
    try:
        with default_start_method(start_method) as said:
            made = _call(given, workers)
    except Exception as error:
        # Errors of this plugin are shown without a traceback, so the message must contain the place.
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise BadArgument(
            f"{where}: {name} raised {type(error).__name__}: {error} ({place.filename}:{place.lineno}).\n"
            f"It is called with the number of workers, here {workers}. If it takes something else, give a function: "
            "executor=lambda workers: ..."
        ) from error
    if not isinstance(made, Executor):
        raise BadArgument(f"{where}: {name} gave {made!r:.100}, and a concurrent.futures.Executor is needed.")
    note = f"made by {name}"
    return Pool(made, functools.partial(end, made), f"{note}; {said}" if said and start_method_of(made) else note)


def _call(function: Callable[..., Any], workers: int) -> Any:
    """Call an executor factory, and pass the number of workers in the way that its signature allows."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # written in C, without a readable signature
        return function(workers)
    if "max_workers" in (parameter.name for parameter in parameters if parameter.kind is not parameter.POSITIONAL_ONLY):
        return function(max_workers=workers)
    positional = [parameter for parameter in parameters if parameter.kind not in _BY_KEYWORD]
    if isinstance(function, functools.partial):
        # Without this, partial(ThreadPoolExecutor, 4) would get the number of workers as its thread_name_prefix.
        positional = [parameter for parameter in positional if parameter.default is parameter.empty]
    return function(workers) if positional else function()


def end(executor: Executor) -> None:
    """End an executor and its processes, whatever they are doing.

    Only the name of ``shutdown`` is assumed, not its parameters. An exception that it raises becomes a warning: it is
    not an error of the test, and would replace an exception that the test itself has raised.
    """
    processes = processes_of(executor)  # after its shutdown an executor may no longer know them
    try:
        _shut_down(executor.shutdown)
    except Exception as error:
        # Where warnings are errors, one raised here would leave the workers of other executors running.
        with contextlib.suppress(RuntimeWarning):
            warnings.warn(
                f"{type(executor).__name__}.shutdown() raised {type(error).__name__}: {error}. Its workers may still "
                "run: see what ends them, and let shutdown() do that.",
                RuntimeWarning,
                stacklevel=2,
            )
    limit = CLOCKS.wall() + _ENDING
    for process in processes:
        process.join(max(0.0, limit - CLOCKS.wall()))
        if process.is_alive():
            hung.kill(process)
            process.join(_ENDING)


def _shut_down(shutdown: Callable[..., object]) -> None:
    """Call ``shutdown`` with ``wait=False``, so that it does not wait for hung workers, if it has that parameter."""
    try:
        inspect.signature(shutdown).bind(wait=False)
    except TypeError:
        shutdown()
    except ValueError:  # written in C, without a readable signature
        shutdown(wait=False)
    else:
        shutdown(wait=False)


def threads_of(executor: Executor) -> list[threading.Thread]:
    """Return the threads of an executor that stores them as the standard library does; otherwise an empty list."""
    threads = getattr(executor, "_threads", None)
    known = list(threads) if isinstance(threads, Collection) else []
    return [thread for thread in known if isinstance(thread, threading.Thread)]


def processes_of(executor: Executor) -> list[BaseProcess]:
    """Return the processes of an executor that stores them as the standard library does; otherwise an empty list."""
    processes = getattr(executor, "_processes", None)
    known = list(processes.values()) if isinstance(processes, Mapping) else []
    return [process for process in known if isinstance(process, BaseProcess)]


def start_method_of(executor: Executor) -> str | None:
    """Return the multiprocessing start method of an executor; None if it has none, or none that is known."""
    context = getattr(executor, "_mp_context", None)
    return str(context.get_start_method()) if isinstance(context, BaseContext) else None


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
                    f"no Dask scheduler answers at {around.dask_address} ({error})",
                    "start it, or correct --concurrency-dask-address (ini key concurrency_dask_address).",
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
        try:
            client.wait_for_workers(1, timeout=_DASK_WORKERS)
        except TimeoutError:
            raise CannotMeasure(
                f"{note} has no worker: none appeared within {_DASK_WORKERS:g} s", "start a worker of it."
            ) from None
    except BaseException:
        stack.close()
        raise
    executor = client.get_executor(pure=False, retries=0)
    return Pool(executor, stack.close, note)


def _missing(library: str, extra: str) -> CannotMeasure:
    return CannotMeasure(
        f"executor={extra!r} needs {library}, which is not installed",
        f'install it: pip install "pytest-concurrency-perf[{extra}]".',
    )


_BUILT_IN: dict[str, Callable[[int, WorkerEnvironment], Pool]] = {"loky": _loky, "dask": _dask}
