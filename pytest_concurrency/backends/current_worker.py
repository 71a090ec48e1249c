"""The value of the ``concurrency_worker`` fixture; imported in every worker that the body is sent to."""

from __future__ import annotations

from typing import Any

from pytest_concurrency.backends.batch import current_input, current_worker, index_of_worker


class CurrentWorker:
    """Describes the worker whose code reads it. It has no state of its own, and is pickled by its class's name."""

    @property
    def index(self) -> int:
        """Number of this worker, from 0. If a body reads it, the serial run calls all N workers' bodies in turn."""
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
        """What the marker's ``setup=`` function made for this batch of this worker; None without ``setup=``."""
        return current_input()

    def __repr__(self) -> str:
        return f"<worker {self.index} of {self.count}, {self.backend}>"
