"""What the ``concurrency_worker`` fixture gives to a body; imported in every worker that the body is sent to."""

from __future__ import annotations

from typing import Any

from pytest_concurrency.backends.batch import current_input, current_worker, index_of_worker


class CurrentWorker:
    """Stands for the worker that reads it; is pickled by its name."""

    @property
    def index(self) -> int:
        """Number of this worker, from 0; a body that reads it is measured against the bodies of all N workers."""
        return index_of_worker()

    @property
    def count(self) -> int:
        """How many workers take part in this batch."""
        return current_worker.get().count

    @property
    def backend(self) -> str:
        """Where it runs: serial, threads, processes, tasks, interpreters, or an executor's name."""
        return current_worker.get().backend

    @property
    def input(self) -> Any:
        """What the marker's ``setup=`` function made for this batch of this worker; None without one."""
        return current_input()

    def __repr__(self) -> str:
        return f"<worker {self.index} of {self.count}, {self.backend}>"
