"""The content of a run's file, as types. The published JSON Schema and the check of files are made from them.

A field without a default must be there. One with a default is always written, and may be missing in a file that is
read. One with ``UNSET`` is written where there is something to write. This module needs msgspec: import it on use.
Parts of a record that stand for themselves are in profile_types.py and observed_types.py.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, UnsetType, field

from pytest_concurrency.runs.head_types import Head
from pytest_concurrency.runs.observed_types import Block, Watched
from pytest_concurrency.runs.profile_types import Profile
from pytest_concurrency.runs.type_parts import BoundType, Count, Leftover, Number, Pair, Part, known, said


class Estimate(Part, frozen=True, kw_only=True, gc=False):
    """A figure over all rounds, with an interval for it."""

    value: Number
    low: Number
    high: Number
    unit: Literal["ratio", "share", "seconds"]


class Point(Part, frozen=True, kw_only=True, gc=False):
    """One worker count of a scaling curve. The last three are what one body took more than alone, in seconds."""

    workers: Count
    speedup: Estimate
    efficiency: Annotated[Number, said("Speedup divided by workers.")]
    serial_part: Annotated[
        Number, said("The part of the work that behaves as if it were serial (Karp and Flatt), with its spread.")
    ]
    serial_part_low: Number
    serial_part_high: Number
    more_cpu: Number
    more_blocked: Number
    more_delay: Number | None
    base: Annotated[Count, said("The count that the speedup is over.")] = 1


class Series(Part, frozen=True, kw_only=True, gc=False):
    """The bounds that each round gives for the speedup on a quiet machine, as later runs are compared by."""

    workers: Annotated[Count | None, said("null where two callables were compared.")]
    bounds: list[Pair]


class Spent(Part, frozen=True, kw_only=True, gc=False):
    """What one call took on one side of a measurement, in seconds: medians over the rounds."""

    side: Annotated[str, said("Which side, for people: '4 threads'.")] = ""
    wall: Annotated[Number, said("Until all workers were done.")]
    cpu: Number
    blocked: Annotated[Number, said("Waiting for something other than a CPU.")]
    delay: Annotated[Number | None, said("Ready to run, and no CPU free; null where it cannot be read.")]


class Finding(Part, frozen=True, kw_only=True, gc=False):
    """Why a verdict is other than met: the parts that its message is made of, for people."""

    kind: Annotated[str, said("The section of the documentation about it, or undecided or unmeasurable.")]
    headline: Annotated[str, said("What was measured and what is required.")]
    label: Annotated[str, said("The expectation as its author wrote it.")] = ""
    cause: str = ""
    place: Annotated[str, said("The line of code where time is lost; empty if it was not found.")] = ""
    try_next: Annotated[str, said("What to try.")] = ""
    certainty: Annotated[str, said("How it was confirmed.")] = ""
    rounds: Count = 0
    evidence: Annotated[list[Spent], said("What one call took on each side.")] = field(default_factory=list)
    more: Annotated[str, said("Address of the page that says more.")] = ""


class Change(Part, frozen=True, kw_only=True, gc=False):
    """What the regression check (--concurrency-compare-fail) found while the test ran."""

    kind: Annotated[
        str,
        known(
            "regression",
            "unconfirmed",
            description="regression: a certain loss, for which the test failed. unconfirmed: it looked like one, and a "
            "second measurement did not confirm it.",
        ),
    ]
    text: Annotated[str, said("The whole message, for people.")]
    headline: Annotated[str, said("The message in one line.")] = ""
    baseline: Annotated[str, said("The name of the run that it is about.")] = ""


class FiredRule(Part, frozen=True, kw_only=True, gc=False):
    """A rule of the engine that held rounds, or a verdict, back."""

    name: str
    times: Count


class Expectation(Part, frozen=True, kw_only=True, gc=False):
    """One marker on the test, or one question that it asked of the fixture, with its verdict."""

    marker: Annotated[str, said("A marker's name, or speedup, compare or bound for the fixture.")]
    arguments: Annotated[dict[str, Any], said("As the author wrote them.")]
    claim: Annotated[
        str, said("Which figure the verdict is about: speedup, waiting, computing, overlap and others.")
    ] = ""
    comparison: Annotated[Literal[">=", "<="], said("How the figure must stand to the threshold.")] = ">="
    verdict: Literal["met", "not_met", "undecided", "unmeasurable"]
    reason: Annotated[str, said("For people; empty if met.")]
    estimate: Estimate | None
    threshold: Number | None
    unit: Annotated[str, known("ratio", "share", "seconds", description="Of figure and threshold.")] = "ratio"
    workers: Annotated[str, said("For people, such as '4 threads'.")] = ""
    backend: Annotated[str, said("Where the workers ran, such as threads; empty if it is not known.")] = ""
    worker_count: Annotated[
        Count | None, said("null where a single worker was measured, or two callables were compared.")
    ] = None
    rounds: Count
    seconds: Annotated[Number, said("How long the verdict took.")]
    bound: BoundType | None = None
    advice: Annotated[str, said("For people: the kind of work, and the tool for it.")] = ""
    tool: Annotated[str, said("For people: the tool for this kind of work.")] = ""
    hint: Annotated[
        str, said("For people: what is wrong with the threshold, and a better one; empty if it is a good one.")
    ] = ""
    curve: Annotated[list[Point], said("The points of expect_scaling; empty for others.")] = field(default_factory=list)
    series: Annotated[
        list[Series] | UnsetType,
        said("The ratio that runs are compared by, one entry per worker count; empty where the figure is no ratio."),
    ] = UNSET
    serial: Annotated[
        list[Pair] | UnsetType,
        said(
            "Bounds of the time of one call in the serial run, in seconds, round by round; for the comparison of "
            "interpreters. Empty where two callables were compared."
        ),
    ] = UNSET
    change: Annotated[
        Change | UnsetType | None, said("null if the regression check found nothing, or if there was none.")
    ] = UNSET
    finding: Annotated[Finding | UnsetType | None, said("null if met.")] = UNSET
    rules: Annotated[
        list[FiredRule] | UnsetType,
        said("The rules of the engine that held a round or a verdict back."),
    ] = UNSET
    leftovers: Annotated[
        list[Leftover] | UnsetType, said("What the measured code has left running: threads, processes, tasks.")
    ] = UNSET
    subject: Annotated[
        str | UnsetType, said("What a call of the fixture measured, such as \"fetch('small')\"; empty for markers.")
    ] = UNSET


class Bound(Part, frozen=True, kw_only=True, gc=False):
    """What the body's time goes into; shares from 0 to 1."""

    kind: BoundType
    cpu_share: Number
    wait_share: Number
    gil: Annotated[str, known("held", "released", "briefly_released", "disabled", "unknown")]
    evidence: str


class Body(Part, frozen=True, kw_only=True, gc=False):
    """What one body took: medians over the rounds. wall is until all workers were done, the others are one body's."""

    wall: Number
    cpu: Number
    blocked: Number
    delay: Number | None


class Arm(Part, frozen=True, kw_only=True, gc=False):
    """One side of a measurement.

    The arrays have one entry per round, in seconds: totals over the workers, except wall, which is from the first
    worker's start to the last one's end.
    """

    backend: str
    workers: Count
    loops: Annotated[Count, said("Bodies that each worker ran per round, in the last round.")] = 0
    wall: list[Number]
    cpu: list[Number]
    delay: Annotated[
        list[Number] | None,
        said("Time in which workers could have run and had no CPU; null where it cannot be read."),
    ] = None
    blocked: list[Number]
    note: str = ""
    body: Body | UnsetType | None = UNSET


class Interference(Part, frozen=True, kw_only=True, gc=False):
    """What else the machine did, as CPUs (1.0 is one CPU kept busy); null where it cannot be read."""

    foreign: Number | None
    steal: Number | None
    throttled: Number | None


class QuietHost(Part, frozen=True, kw_only=True, gc=False):
    """Whether the measurements had the host for themselves."""

    alone: Annotated[bool, said("No other test of a session that takes part ran meanwhile.")]
    waited: Annotated[Number, said("Seconds of waiting for it, beside those of the measurements.")]
    reason: Annotated[str, said("Why not alone; empty if alone.")]


class FirstAttempt(Part, frozen=True, kw_only=True, gc=False):
    """How an undecided test was measured that was measured again at the end of the session."""

    seconds: Annotated[Number, said("How long its verdicts took; those of the second time are in the expectations.")]
    reason: Annotated[str, said("Why it was undecided, for people.")]


class Record(Part, frozen=True, kw_only=True, gc=False):
    """One test."""

    nodeid: str
    expectations: Annotated[list[Expectation], said("Empty of a test that measures nothing.")]
    bound: Bound | None = None
    arms: list[Arm] = field(default_factory=list)
    interference: Interference = Interference(foreign=None, steal=None, throttled=None)
    quiet_host: Annotated[
        QuietHost | UnsetType | None, said("null if that was not looked for (--concurrency-quiet-host=off).")
    ] = UNSET
    first_attempt: Annotated[
        FirstAttempt | UnsetType,
        said("Of a test that was undecided, and was measured again at the end of the session (undecided='retry')."),
    ] = UNSET
    traced_by: Annotated[
        list[str] | UnsetType,
        said("What traced the test's Python code, and so slowed it: coverage, a debugger, a profiler."),
    ] = UNSET
    profile: Annotated[
        list[Profile] | UnsetType, said("With --concurrency-profile: where the time of each profiled body went.")
    ] = UNSET
    calls: Annotated[
        list[Watched] | UnsetType, said("With concurrency.watch(): the calls of each watched function.")
    ] = UNSET
    blocks: Annotated[
        list[Block] | UnsetType,
        said("With --concurrency-max-block: blocks of event loops in the test's ordinary run, in order."),
    ] = UNSET


class Run(Head, frozen=True, kw_only=True, gc=False):
    """What --concurrency-report=json:PATH and --concurrency-save write. All times are in seconds.

    Readers should pass over properties that they do not know: plugins may add some, and so may later versions.
    """

    records: list[Record]
