"""What a backend promises, and how its workers fail."""

from __future__ import annotations

from typing import Protocol

from pytest_concurrency.errors import WorkerLost
from pytest_concurrency.model import Sample
from pytest_concurrency.units import duration


class Crew(Protocol):
    """Workers that are alive, warm and wait for a batch."""

    @property
    def note(self) -> str:
        """What a report should say of the workers."""
        ...

    @property
    def one_interpreter(self) -> bool:
        """Whether the workers share this interpreter, and its GIL if it has one."""
        ...

    @property
    def one_process(self) -> bool:
        """Whether the CPU time of the workers is this process's own."""
        ...

    @property
    def cpus(self) -> float | None:
        """The CPUs that the workers have together, where those are not this machine's."""
        ...

    def run(self, workers: int, loops: int, deadline: float, job: str = "body") -> Sample:
        """Let the first ``workers`` of the crew run ``job`` ``loops`` times each.

        :raises Raised: the body raised.
        :raises WorkerLost: a worker died, hung for ``deadline`` seconds, or answered nonsense.
        """
        ...

    def close(self) -> None:
        """End every worker; safe to call twice, and after any error."""
        ...


class Raised(Exception):
    """Carries the body's own exception out of a worker."""

    def __init__(self, error: BaseException, backend: str, index: int, workers: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.worker = f"{backend} worker {index + 1} of {workers}"
        self.round: int | None = None


class Hung(WorkerLost):
    """Workers that did not come back; says where each of them stood."""

    def __init__(self, backend: str, workers: int, deadline: float, places: list[str]) -> None:
        self.places = places
        lines = "\n".join(f"  worker {index + 1}: {place}" for index, place in enumerate(places))
        super().__init__(
            f"{backend}: no answer from all {workers} workers within {duration(deadline)}. Where each stood:\n{lines}"
        )
