"""The state of a rendezvous: who is inside, the largest number so far, and why it failed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Entrant:
    """A thread or task that is inside the block, or waits at its start."""

    place: str  # the line of its ``with`` statement
    worker: str  # such as "thread ThreadPoolExecutor-0_1"
    process: int
    thread: int  # threading.get_ident()


@dataclass
class Ledger:
    """The state that all entrants of one rendezvous share. It has plain values, so that a file can store it."""

    meet: int  # how many have to be inside at one moment
    limit: int | None = None  # how many may be inside at one moment
    inside: dict[str, Entrant] = field(default_factory=dict)
    most: dict[str, Entrant] = field(default_factory=dict)  # who was inside at the peak
    peak: int = 0
    entered: int = 0
    met: bool = False
    failure: str | None = None
    closed: bool = False

    def enter(self, key: str, entrant: Entrant) -> bool:
        """Count an entrant in; return whether it exceeds the limit."""
        self.inside[key] = entrant
        self.entered += 1
        if len(self.inside) > self.peak:
            self.peak, self.most = len(self.inside), dict(self.inside)
        self.met = self.met or len(self.inside) >= self.meet
        return self.limit is not None and len(self.inside) > self.limit

    def leave(self, key: str) -> None:
        self.inside.pop(key, None)

    def fail(self, why: str) -> None:
        """Record why the rendezvous failed; the first reason is kept."""
        self.failure = self.failure or why

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Ledger:
        people = {
            name: {key: Entrant(**entrant) for key, entrant in values[name].items()} for name in ("inside", "most")
        }
        return cls(**{**values, **people})
