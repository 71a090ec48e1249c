"""What workers may need to know of the session that they are started for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_concurrency.machine.priority import ORDINARY, Priority

if TYPE_CHECKING:
    from pytest_concurrency.backends.borrowed_loop import BorrowedLoop


def _no_executors() -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class WorkerEnvironment:
    """The session's root, and where its options say that workers come from."""

    root: Path
    start_method: str = "auto"
    dask_address: str = ""
    # What the project has registered by pytest_concurrency_backends: {name: executor, or what makes one}.
    executors: Callable[[], Mapping[str, Any]] = _no_executors
    priority: Priority = ORDINARY  # that batches are measured at
    # The event loop that the test itself runs on, where an async plugin runs it.
    borrowed_loop: BorrowedLoop | None = None
