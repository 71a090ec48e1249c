"""Where bodies run: one file each, imported on use. Each worker process and interpreter imports this file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_concurrency.backends.base import Crew
    from pytest_concurrency.backends.environment import Surroundings
    from pytest_concurrency.core.model import Body
    from pytest_concurrency.engine.plan import Setup


def _threads(body: Body, count: int, around: Surroundings) -> Crew:
    from pytest_concurrency.backends.batch import jobs_of
    from pytest_concurrency.backends.threads import ThreadCrew

    return ThreadCrew(jobs_of(body), count)


def _processes(body: Body, count: int, around: Surroundings) -> Crew:
    from pytest_concurrency.backends.processes import ProcessCrew

    return ProcessCrew(body, count, around.start_method, around.root)


def _tasks(body: Body, count: int, around: Surroundings) -> Crew:
    if around.guest is not None and around.guest.name == "trio":
        from pytest_concurrency.backends.trio_loop import TrioCrew

        return TrioCrew(body, around.guest)
    from pytest_concurrency.backends.tasks import TaskCrew

    return TaskCrew(body, count, around.guest)


def _interpreters(body: Body, count: int, around: Surroundings) -> Crew:
    from pytest_concurrency.backends.interpreters import InterpreterCrew

    return InterpreterCrew(body, count, around.root)


OPENERS: dict[str, Callable[[Body, int, Surroundings], Crew]] = {
    "threads": _threads,
    "processes": _processes,
    "tasks": _tasks,
    "interpreters": _interpreters,
}


def open_crew(setup: Setup, body: Body, around: Surroundings) -> Crew:
    """Start the workers of a setup.

    :raises CannotMeasure: this machine or interpreter has no such workers.
    :raises BadArgument: nobody knows the executor.
    """
    if setup.executor is None:
        return OPENERS[setup.backend](body, setup.crew_size, around)
    from pytest_concurrency.backends.executor_group import PooledCrew
    from pytest_concurrency.backends.executors import open_pool

    pool = open_pool(setup.executor, setup.crew_size, around)
    return PooledCrew(body, setup.crew_size, setup.backend, pool, around.root)
