"""What a run's file holds, as types: the published JSON Schema and the check of files that are read come from these.

A field without a default must be there. One with a default is always written, and may be missing in a file that is
read. One with ``UNSET`` is written where there is something to write. This module needs msgspec: import it on use.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType, field

from pytest_concurrency.runs.json_types import WORDS, Count, Number, Part
from pytest_concurrency.runs.json_types import known as _known
from pytest_concurrency.runs.json_types import said as _said
from pytest_concurrency.runs.survey_types import Survey

Pair = Annotated[tuple[Number, Number], Meta(extra={WORDS: "a low and a high number"})]
BoundType = Literal["io", "cpu", "mixed", "serialized"]


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
    efficiency: Annotated[Number, _said("Speedup divided by workers.")]
    serial_part: Annotated[
        Number, _said("The part of the work that behaves as if it were serial (Karp and Flatt), with its spread.")
    ]
    serial_part_low: Number
    serial_part_high: Number
    more_cpu: Number
    more_blocked: Number
    more_delay: Number | None


class Series(Part, frozen=True, kw_only=True, gc=False):
    """The bounds that each round gives for the speedup on a quiet machine, as later runs are compared by."""

    workers: Annotated[Count | None, _said("null where two callables were compared.")]
    bounds: list[Pair]


class Spent(Part, frozen=True, kw_only=True, gc=False):
    """What one call took on one side of a measurement, in seconds: medians over the rounds."""

    side: Annotated[str, _said("Which side, for people: '4 threads'.")] = ""
    wall: Annotated[Number, _said("Until all workers were done.")]
    cpu: Number
    blocked: Annotated[Number, _said("Waiting for something other than a CPU.")]
    delay: Annotated[Number | None, _said("Ready to run, and no CPU free; null where it cannot be read.")]


class Finding(Part, frozen=True, kw_only=True, gc=False):
    """Why a verdict is other than met: the parts that its message is made of, for people."""

    kind: Annotated[str, _said("The section of the documentation about it, or undecided or unmeasurable.")]
    headline: Annotated[str, _said("What was measured and what is required.")]
    label: Annotated[str, _said("The expectation as its author wrote it.")] = ""
    cause: str = ""
    place: Annotated[str, _said("The line of code where time is lost; empty if it was not found.")] = ""
    try_next: Annotated[str, _said("What to try.")] = ""
    certainty: Annotated[str, _said("How it was confirmed.")] = ""
    rounds: Count = 0
    evidence: Annotated[list[Spent], _said("What one call took on each side.")] = field(default_factory=list)
    more: Annotated[str, _said("Address of the page that says more.")] = ""


class Change(Part, frozen=True, kw_only=True, gc=False):
    """What the regression check (--concurrency-compare-fail) found while the test ran."""

    kind: Annotated[
        str,
        _known(
            "regression",
            "unconfirmed",
            description="regression: a certain loss, for which the test failed. unconfirmed: it looked like one, and a "
            "second measurement did not confirm it.",
        ),
    ]
    text: Annotated[str, _said("The whole message, for people.")]
    headline: Annotated[str, _said("The message in one line.")] = ""


class Expectation(Part, frozen=True, kw_only=True, gc=False):
    """One marker on the test, or one question that it asked of the fixture, with its verdict."""

    marker: Annotated[str, _said("A marker's name, or speedup, compare or bound for the fixture.")]
    arguments: Annotated[dict[str, Any], _said("As the author wrote them.")]
    claim: Annotated[
        str, _said("Which figure the verdict is about: speedup, waiting, computing, overlap and others.")
    ] = ""
    comparison: Annotated[Literal[">=", "<="], _said("How the figure must stand to the threshold.")] = ">="
    verdict: Literal["met", "not_met", "undecided", "unmeasurable"]
    reason: Annotated[str, _said("For people; empty if met.")]
    estimate: Estimate | None
    threshold: Number | None
    unit: Annotated[str, _known("ratio", "share", "seconds", description="Of figure and threshold.")] = "ratio"
    workers: Annotated[str, _said("For people, such as '4 threads'.")] = ""
    backend: Annotated[str, _said("Where the workers ran, such as threads; empty if it is not known.")] = ""
    worker_count: Annotated[
        Count | None, _said("null where a single worker was measured, or two callables were compared.")
    ] = None
    rounds: Count
    seconds: Annotated[Number, _said("How long the verdict took.")]
    bound: BoundType | None = None
    advice: Annotated[str, _said("For people: the kind of work, and the tool for it.")] = ""
    tool: Annotated[str, _said("For people: the tool for this kind of work.")] = ""
    hint: Annotated[
        str, _said("For people: what is wrong with the threshold, and a better one; empty if it is a good one.")
    ] = ""
    curve: Annotated[list[Point], _said("The points of expect_scaling; empty for others.")] = field(
        default_factory=list
    )
    series: Annotated[
        list[Series] | UnsetType,
        _said("The ratio that runs are compared by, one entry per worker count; empty where the figure is no ratio."),
    ] = UNSET
    change: Annotated[
        Change | UnsetType | None, _said("null if the regression check found nothing, or if there was none.")
    ] = UNSET
    finding: Annotated[Finding | UnsetType | None, _said("null if met.")] = UNSET
    subject: Annotated[
        str | UnsetType, _said("What a call of the fixture measured, such as \"fetch('small')\"; empty for markers.")
    ] = UNSET


class Bound(Part, frozen=True, kw_only=True, gc=False):
    """What the body's time goes into; shares from 0 to 1."""

    kind: BoundType
    cpu_share: Number
    wait_share: Number
    gil: Annotated[str, _known("held", "released", "briefly_released", "disabled", "unknown")]
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
    loops: Annotated[Count, _said("Bodies that each worker ran per round, in the last round.")] = 0
    wall: list[Number]
    cpu: list[Number]
    delay: Annotated[
        list[Number] | None,
        _said("Time in which workers could have run and had no CPU; null where it cannot be read."),
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

    alone: Annotated[bool, _said("No other test of a session that takes part ran meanwhile.")]
    waited: Annotated[Number, _said("Seconds of waiting for it, beside those of the measurements.")]
    reason: Annotated[str, _said("Why not alone; empty if alone.")]


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
    looks: Annotated[Count, _said("How many samples found a thread standing.")]
    stands: list[Stand]
    for_the_gil: bool


class Profile(Part, frozen=True, kw_only=True, gc=False):
    """One body under a profiler, in a run that did not count."""

    label: str
    tool: Annotated[str, _known("cprofile", "line")]
    calls: Annotated[Count, _said("How often the body was called.")]
    costs: list[Cost]
    standing: Annotated[Standing | None, _said("null if that was not looked for.")]
    notes: list[str]
    text: Annotated[str, _said("What the terminal shows.")]


class Record(Part, frozen=True, kw_only=True, gc=False):
    """One test."""

    nodeid: str
    expectations: Annotated[list[Expectation], _said("Empty in a file of the command explore.")]
    bound: Bound | None = None
    arms: list[Arm] = field(default_factory=list)
    interference: Interference = Interference(foreign=None, steal=None, throttled=None)
    quiet_host: Annotated[
        QuietHost | UnsetType | None, _said("null if that was not looked for (--concurrency-quiet-host=off).")
    ] = UNSET
    traced_by: Annotated[
        list[str] | UnsetType,
        _said("What traced the test's Python code, and so slowed it: coverage, a debugger, a profiler."),
    ] = UNSET
    profile: Annotated[
        list[Profile] | UnsetType, _said("With --concurrency-profile: where the time of each profiled body went.")
    ] = UNSET


class CoreKinds(Part, frozen=True, kw_only=True, gc=False):
    """How many of the allowed CPUs are performance and efficiency cores; empty where all are alike."""

    performance: Count | UnsetType = UNSET
    efficiency: Count | UnsetType = UNSET


class Environment(Part, frozen=True, kw_only=True, gc=False):
    """The machine and the interpreter."""

    python: str
    implementation: str
    gil: Annotated[bool, _said("Whether the interpreter ran with its global interpreter lock.")]
    free_threaded_build: bool = False
    system: str
    machine: str = ""
    cpus_usable: Annotated[Number, _said("What this process may keep busy: affinity, then quota. May be a fraction.")]
    cpus_logical: Number | None = None
    cpus_allowed: Annotated[Number | UnsetType | None, _said("CPUs that this process may run on: its affinity.")] = (
        UNSET
    )
    python_cpu_count: Annotated[
        Number | UnsetType | None, _said("What PYTHON_CPU_COUNT or -X cpu_count give, or null.")
    ] = UNSET
    cores: Annotated[
        Number | UnsetType | None,
        _said("Cores that the allowed CPUs are hardware threads of, or null if that is not known."),
    ] = UNSET
    core_kinds: CoreKinds | UnsetType = UNSET
    cpu_quota: Annotated[Number | None, _said("CPUs that the control group allows, or null without a quota.")] = None
    priority: Annotated[
        str | UnsetType, _said("Priority that batches were measured at: ordinary, real-time, or nice and its value.")
    ] = UNSET
    switch_interval: Number = 0.005
    missing_readings: Annotated[
        list[str], _said("Readings that this platform does not have, each with the reason.")
    ] = field(default_factory=list)


class ChangedTest(Part, frozen=True, kw_only=True, gc=False):
    """One expectation that is not as it was."""

    nodeid: str
    kind: Annotated[str, _known("regression", "verdict", "improvement", "unsure", "noise", "same", "new", "gone")]
    is_regression: Annotated[bool, _said("A loss that is certain, or an expectation that was met and is not met now.")]
    text: Annotated[str, _said("What has changed, for people.")]


class Comparison(Part, frozen=True, kw_only=True, gc=False):
    """What has changed since the run that --concurrency-compare names. What is unchanged is only counted."""

    baseline: Annotated[str, _said("The name of that run.")]
    baseline_created: Annotated[str | UnsetType, _said("When it was saved; empty if it does not say.")] = UNSET
    tally: Annotated[str, _said("How many changes of each kind there are, in words.")]
    changes: Annotated[list[ChangedTest], _said("The worst first.")]


class Head(Part, frozen=True, kw_only=True, gc=False):
    """All of a run but its records."""

    schema: Literal[1]
    name: Annotated[str | UnsetType, _said("Of a saved run: the name that it was saved under.")] = UNSET
    created: Annotated[
        str | UnsetType,
        Meta(
            description="Of a saved run: when, in UTC (ISO 8601).",
            extra_json_schema={"format": "date-time"},
        ),
    ] = UNSET
    regressions: Annotated[
        list[str] | UnsetType,
        _said("Of a saved run: tests that failed as regressions. It is a baseline only if it is asked for by name."),
    ] = UNSET
    comparison: Comparison | UnsetType = UNSET
    survey: Annotated[Survey | UnsetType, _said("With --concurrency-survey: each test in its ordinary run.")] = UNSET
    environment: Environment


class Run(Head, frozen=True, kw_only=True, gc=False):
    """What --concurrency-report=json:PATH and --concurrency-save write. All times are in seconds.

    Readers should pass over properties that they do not know: plugins may add some, and so may later versions.
    """

    records: list[Record]
