"""Where bodies run: one file each, imported on use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_concurrency.backends.base import Crew
from pytest_concurrency.model import Body

if TYPE_CHECKING:
    from pytest_concurrency.backends.guest import GuestLoop


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a backend may need to know of the session."""

    root: Path
    start_method: str = "auto"
    guest: GuestLoop | None = None  # the event loop that the test runs on, where an async plugin runs it


def _threads(body: Body, count: int, around: Surroundings) -> Crew:
    from pytest_concurrency.backends.job import control_body
    from pytest_concurrency.backends.threads import ThreadCrew

    return ThreadCrew({"body": body.call, "control": control_body}, count)


def _processes(body: Body, count: int, around: Surroundings) -> Crew:
    from pytest_concurrency.backends.processes import ProcessCrew

    return ProcessCrew(body, count, around.start_method, around.root)


def _tasks(body: Body, count: int, around: Surroundings) -> Crew:
    if around.guest is not None and around.guest.name == "trio":
        from pytest_concurrency.backends.trio_guest import TrioCrew

        return TrioCrew(body.call, around.guest)
    from pytest_concurrency.backends.tasks import TaskCrew

    return TaskCrew(body.call, count, around.guest)


OPENERS: dict[str, Callable[[Body, int, Surroundings], Crew]] = {
    "threads": _threads,
    "processes": _processes,
    "tasks": _tasks,
}
