"""Parses where the workers run, for all markers and calls of the fixture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from pytest_concurrency.core.errors import BadArgument
from pytest_concurrency.core.model import ExecutorChoice
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.expectations import keywords

__tracebackhide__ = True  # pytest shows a failure at the line of the test

BACKENDS = ("threads", "processes", "tasks", "interpreters")
_RESERVED = (*BACKENDS, "compare", "serial")
OVERLAPPING = ("threads", "tasks")  # backends whose workers share an interpreter and can overlap their waits
CHOICE = ", ".join(f"{backend}=N" for backend in BACKENDS) + ", executor="


@dataclass(frozen=True, slots=True)
class Placement:
    """One choice: a backend, and the number of workers or several numbers."""

    backend: str
    size: Any
    executor: ExecutorChoice | None = None

    @property
    def spelled(self) -> str:
        """The choice as its author wrote it: ``threads=4``."""
        return f"executor={self.executor.name}, workers={self.size}" if self.executor else f"{self.backend}={self.size}"

    def setup(self, workers: int) -> WorkerSetup:
        return WorkerSetup(self.backend, workers, executor=self.executor)


def parsers(size: Callable[[str], keywords.Parser] = keywords.workers) -> dict[str, keywords.Parser]:
    """Return the keywords for a choice; ``size`` makes the parser of a backend's count, or counts."""
    return {**{backend: size(backend) for backend in BACKENDS}, "executor": executor, "workers": size("workers")}


def executor(value: object) -> ExecutorChoice:
    """Accept an executor, a function that returns one, or the name of a backend."""
    if isinstance(value, str) and value:
        return ExecutorChoice(value)
    if isinstance(value, Executor):
        return ExecutorChoice(type(value).__name__, value)
    if callable(value):
        return ExecutorChoice(getattr(value, "__name__", type(value).__name__), value)
    raise ValueError(
        'must be a concurrent.futures.Executor, a function that returns one, or a name such as "loky" or "dask" that '
        "is built in or registered by the hook pytest_concurrency_backends"
    )


def chosen(name: str, arguments: Mapping[str, Any], is_async: bool) -> list[Placement]:
    """Return all choices that were made.

    :raises BadArgument: one of them cannot run such a body, or does not say how many workers.
    """
    found = [Placement(backend, arguments[backend]) for backend in BACKENDS if backend in arguments]
    choice: ExecutorChoice | None = arguments.get("executor")
    if choice is not None:
        size = arguments.get("workers", getattr(choice.given, "_max_workers", None))
        if not isinstance(size, (int, tuple)):  # an executor of another library may have any value in that attribute
            raise BadArgument(f"{name}(executor={choice.name}) does not say how many workers: add workers=N.")
        # A backend's own name would let the engine judge these workers as that backend's.
        backend = f"{choice.name}-executor" if choice.name in _RESERVED else choice.name
        found.append(Placement(backend, size, choice))
    elif "workers" in arguments:
        size = arguments["workers"]
        raise BadArgument(f"{name}(workers={size}): workers= needs executor=. For threads, write threads={size}.")
    for where in found:
        backend_for(name, "executor" if where.executor else where.backend, is_async, explicit=True)
    return found


def needed(name: str) -> BadArgument:
    """Return the error of a call that does not say where the workers run."""
    return BadArgument(f"{name} needs to know where the workers run: it takes one of {CHOICE}, and has none.")


def the_one(name: str, arguments: Mapping[str, Any], is_async: bool) -> Placement | None:
    """Return the choice that was made, or None.

    :raises BadArgument: there are several, or it cannot be.
    """
    found = chosen(name, arguments, is_async)
    if len(found) > 1:
        both = " and ".join("executor" if where.executor else where.backend for where in found)
        again = f" Stack two {name} markers to measure both." if name.startswith("expect_") else ""
        raise BadArgument(f"{name} takes one of {CHOICE}, and has {both}.{again}")
    return found[0] if found else None


def overlapping(name: str, arguments: Mapping[str, Any], is_async: bool) -> tuple[str, int]:
    """Return the backend, and the number of workers whose waits should overlap: 4 by default.

    :raises BadArgument: it is one worker, or a backend that cannot run the body.
    """
    said = [backend for backend in OVERLAPPING if backend in arguments]
    if len(said) > 1:
        raise BadArgument(f"{name} takes one of {' and '.join(f'{backend}=' for backend in said)}, and has both.")
    wanted = said[0] if said else "threads"
    workers: int = arguments.get(wanted, 4)
    if workers < 2:
        raise BadArgument(f"{name}({wanted}=1): waits of one worker have nothing to overlap with. Write 2 or more.")
    return backend_for(name, wanted, is_async, explicit=bool(said)), workers


def overlap_parsers() -> dict[str, keywords.Parser]:
    """Return the keywords of :func:`overlapping`."""
    return {backend: keywords.workers(backend, least=2) for backend in OVERLAPPING}


def backend_for(name: str, wanted: str, body_is_async: bool, explicit: bool) -> str:
    """Return the backend in which a body of its kind can run.

    :raises BadArgument: the author asked for one that cannot run it.
    """
    if body_is_async and wanted != "tasks":
        if explicit:
            raise BadArgument(
                f"{name}({wanted}=...) is for a plain function, and this one is an async def: "
                "its bodies run as tasks of one event loop. Write tasks=N instead."
            )
        return "tasks"
    if not body_is_async and wanted == "tasks":
        raise BadArgument(
            f"{name}(tasks=...) is for an async def body, and this one is a plain function. "
            "Write async def, or threads=N."
        )
    return wanted
