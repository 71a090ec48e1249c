"""Settings of the pytest session that back-ends need to start workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_concurrency.machine.priority import ORDINARY, Priority

if TYPE_CHECKING:
    from pytest_concurrency.backends.event_loops.borrowed_loop import BorrowedLoop


def _no_executors() -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class WorkerEnvironment:
    """The session's root folder, its options for starting workers, and the test's event loop."""

    root: Path
    start_method: str = "auto"
    dask_address: str = ""
    # Executors that the project has registered with the hook pytest_concurrency_backends: {name: executor or factory}.
    executors: Callable[[], Mapping[str, Any]] = _no_executors
    priority: Priority = ORDINARY  # the CPU scheduling priority during a batch
    # The event loop that the test itself runs on; None if no async plugin runs the test.
    borrowed_loop: BorrowedLoop | None = None
