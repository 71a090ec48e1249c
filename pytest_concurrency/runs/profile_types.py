"""What a run's file holds of profiles: where the time of a body went, and where threads stood.

This module needs msgspec: import it on use.
"""

from __future__ import annotations

from typing import Annotated

from pytest_concurrency.runs.type_parts import Count, Number, Part, known, said


class Cost(Part, frozen=True, kw_only=True, gc=False):
    """What one place in the code took of one call, in seconds."""

    where: str
    calls: Number
    computing: Number
    waiting: Number | None
    source: str


class Stand(Part, frozen=True, kw_only=True, gc=False):
    """A line at which threads stood, as a share of the samples that found one standing."""

    where: str
    source: str
    inside: str
    share: Number


class Standing(Part, frozen=True, kw_only=True, gc=False):
    """Where several threads stood while others went on."""

    workers: str
    looks: Annotated[Count, said("How many samples found a thread standing.")]
    stands: list[Stand]
    for_the_gil: bool


class Frame(Part, frozen=True, kw_only=True, gc=False):
    """A line of a function on a stack."""

    name: str
    place: str
    own: Annotated[bool, said("Whether it is neither this plugin's nor the standard library's.")]


class Flame(Part, frozen=True, kw_only=True, gc=False):
    """The stacks of the workers of a verdict, as a sampling profiler saw them in the body."""

    mode: Annotated[str, known("wall", "cpu", "gil", description="Which samples count: all, on a CPU, with the GIL.")]
    workers: str
    samples: Count
    frames: list[Frame]
    stacks: Annotated[
        list[tuple[list[Count], Count]], said("Places in frames, the outermost first, and how many samples had them.")
    ]
    stands: Annotated[list[Stand], said("The author's lines with most samples.")]


class Profile(Part, frozen=True, kw_only=True, gc=False):
    """One body under a profiler, in a run that did not count."""

    label: str
    tool: Annotated[str, known("cprofile", "line", "tachyon", "py-spy")]
    calls: Annotated[Count, said("How often the body was called.")]
    costs: list[Cost]
    standing: Annotated[Standing | None, said("null if that was not looked for.")]
    flame: Annotated[Flame | None, said("null if no sampling profiler looked into the workers.")] = None
    notes: list[str]
    text: Annotated[str, said("What the terminal shows.")]
