"""Back-ends: the kinds of workers that run the test body, one module each.

A back-end's module is imported when it is first used. Otherwise each worker process and interpreter, which imports this
file, would import all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_concurrency.core import callables
from pytest_concurrency.core.errors import BadArgument

if TYPE_CHECKING:
    from pytest_concurrency.backends.base import WorkerGroup
    from pytest_concurrency.backends.environment import WorkerEnvironment
    from pytest_concurrency.core.model import Body
    from pytest_concurrency.engine.plan import WorkerSetup


def _threads(body: Body, count: int, around: WorkerEnvironment) -> WorkerGroup:
    from pytest_concurrency.backends.batch import jobs_of
    from pytest_concurrency.backends.threads import ThreadWorkers

    return ThreadWorkers(jobs_of(body), count)


def _processes(body: Body, count: int, around: WorkerEnvironment) -> WorkerGroup:
    from pytest_concurrency.backends.processes import ProcessWorkers

    return ProcessWorkers(body, count, around.start_method, around.root)


def _tasks(body: Body, count: int, around: WorkerEnvironment) -> WorkerGroup:
    if around.borrowed_loop is not None and around.borrowed_loop.name == "trio":
        from pytest_concurrency.backends.event_loops.trio_loop import TrioWorkers

        return TrioWorkers(body, around.borrowed_loop)
    from pytest_concurrency.backends.event_loops.tasks import TaskWorkers

    return TaskWorkers(body, count, around.borrowed_loop)


def _interpreters(body: Body, count: int, around: WorkerEnvironment) -> WorkerGroup:
    from pytest_concurrency.backends.interpreters import InterpreterWorkers

    return InterpreterWorkers(body, count, around.root)


OPENERS: dict[str, Callable[[Body, int, WorkerEnvironment], WorkerGroup]] = {
    "threads": _threads,
    "processes": _processes,
    "tasks": _tasks,
    "interpreters": _interpreters,
}


def open_workers(setup: WorkerSetup, body: Body, around: WorkerEnvironment) -> WorkerGroup:
    """Start the workers of a setup.

    :raises CannotMeasure: this machine or interpreter has no such workers, or they would share a connection.
    :raises BadArgument: the executor's name is unknown, or several workers cannot call the body at once.
    """
    group = _open(setup, body, around)
    patched = callables.patched_by(body.function) if setup.group_size > 1 and group.one_interpreter else None
    if patched is not None:
        group.close()
        raise BadArgument(
            f"{body.label} has {patched}, which patches something in each call and restores it afterwards. "
            f"{setup.who()} at once would restore what another call has set, so that it stays patched for the rest of "
            "the session. Patch it once for the whole test, in a fixture (monkeypatch, mocker, with mock.patch(...): "
            "yield), or measure with processes=."
        )
    return group


def _open(setup: WorkerSetup, body: Body, around: WorkerEnvironment) -> WorkerGroup:
    if setup.executor is None:
        return OPENERS[setup.backend](body, setup.group_size, around)
    from pytest_concurrency.backends.executor_group import ExecutorWorkers
    from pytest_concurrency.backends.executors import open_pool, start_method_of
    from pytest_concurrency.backends.fork_only import refuse_shared_connections
    from pytest_concurrency.backends.serialization import session_modules

    pool = open_pool(setup.executor, setup.group_size, around)
    if around.start_method == "auto" and start_method_of(pool.executor) == "fork":
        try:
            refuse_shared_connections(body, session_modules(around.root))
        except BaseException:
            if pool.end is not None:
                pool.end()
            raise
    return ExecutorWorkers(body, setup.group_size, setup.backend, pool, around.root)
