"""The result of a profile. All times are in seconds, for one call of the body."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """The time of one function without its callees, or of one line. If ``waiting`` is None, it is not known apart."""

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
    """A line at which workers were blocked, with its share of the samples in which they were blocked.

    ``inside`` is the function that the line called, unless it is built-in.
    """

    where: str
    source: str
    inside: str
    share: float


@dataclass(frozen=True, slots=True)
class Standing:
    """The lines at which several threads were blocked."""

    workers: str  # "4 threads"
    looks: int  # samples of a blocked thread
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
