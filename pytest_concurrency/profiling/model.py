"""What a profile found (pure). All times in seconds and of one call of the body."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """What one function, or one line, took itself; ``waiting`` None: not distinguished."""

    where: str
    calls: float
    computing: float
    waiting: float | None = None
    source: str = ""

    @property
    def total(self) -> float:
        return self.computing + (self.waiting or 0.0)


@dataclass(frozen=True, slots=True)
class Stand:
    """A line at which workers stood, as a share of the looks that found them standing.

    ``inside`` is what the line called, if that was not a built-in function.
    """

    where: str
    source: str
    inside: str
    share: float


@dataclass(frozen=True, slots=True)
class Standing:
    """Where several threads stood while others went on."""

    workers: str  # "4 threads"
    looks: int  # that found one standing
    stands: tuple[Stand, ...] = ()
    for_the_gil: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """A line of a function on a stack."""

    name: str
    place: str  # "shop.py:8"
    own: bool  # whether it is neither this plugin's nor the standard library's


@dataclass(frozen=True, slots=True)
class Flame:
    """The stacks of workers that a sampler saw in the body."""

    mode: str  # wall, cpu or gil
    workers: str  # "4 threads"
    samples: int
    frames: tuple[Frame, ...] = ()
    stacks: tuple[tuple[tuple[int, ...], int], ...] = ()  # places in ``frames``, outermost first, and samples
    stands: tuple[Stand, ...] = ()  # the author's lines with most samples


@dataclass(frozen=True, slots=True)
class Profile:
    """The profile of one body."""

    label: str
    tool: str
    calls: int = 0
    costs: tuple[Cost, ...] = ()
    standing: Standing | None = None
    flame: Flame | None = None
    notes: tuple[str, ...] = ()
