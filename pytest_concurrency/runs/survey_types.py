"""What a run's file holds of a survey (--concurrency-survey), as types; see ``run_types``. Needs msgspec."""

from __future__ import annotations

from typing import Annotated

from msgspec import field

from pytest_concurrency.runs.type_parts import Count, Number, Part, known, said


class SurveyedTime(Part, frozen=True, kw_only=True, gc=False):
    """Where the time of something went, in seconds."""

    wall: Annotated[Number, said("From start to end.")]
    cpu: Annotated[Number, said("CPU time of the process, all threads.")]
    blocked: Annotated[Number, said("Neither the process nor its children computed: it waited.")]
    delay: Annotated[Number | None, said("Ready to run, and no CPU free; null where it cannot be read.")]
    children: Annotated[Number, said("CPU time of child processes that have ended in this time.")]


class SurveyedPart(SurveyedTime, frozen=True, kw_only=True, gc=False):
    """One part of the whole suite's time, summed over all processes that ran tests."""

    part: Annotated[str, known("start", "fixtures", "calls", "pytest", "failed", "measured")]
    tests: Annotated[Count, said("How many tests it is about; 0 if it is not about tests.")]


class SurveyedBlock(Part, frozen=True, kw_only=True, gc=False):
    """A stretch in which an event loop could not run what was due: between low and high seconds."""

    low: Number
    high: Number
    where: Annotated[str | None, said("The line that blocked; null if it was not caught.")]


class SurveyedTest(Part, frozen=True, kw_only=True, gc=False):
    """One test."""

    nodeid: str
    outcome: Annotated[str, known("passed", "failed", "skipped")]
    likely: Annotated[
        str, known("io", "cpu", "mixed", "children", "", description="What its call does; empty if it is too short.")
    ]
    setup: SurveyedTime
    call: SurveyedTime
    teardown: SurveyedTime
    blocks: list[SurveyedBlock] = field(default_factory=list)


class BlockedLine(Part, frozen=True, kw_only=True, gc=False):
    """A line of code that blocked event loops."""

    where: Annotated[str | None, said("null for all blocks whose line was not caught.")]
    longest: Annotated[Number, said("Seconds, at most.")]
    times: Count
    tests: Annotated[Count, said("In how many tests.")]
    sure: Annotated[bool, said("Whether nothing else can have caused one of them at least.")]
    allowed: Annotated[list[str], said("Why it may block, as markers and the ini file say.")] = field(
        default_factory=list
    )


class MarkerToPaste(Part, frozen=True, kw_only=True, gc=False):
    """A marker that a test is worth."""

    nodeid: str
    marker: Annotated[str, said("The line to paste above the test.")]
    why: Annotated[str, said("For people.")]


class PredictedTime(Part, frozen=True, kw_only=True, gc=False):
    """What xdist would bring with so many workers."""

    workers: Count
    seconds: Number


class PredictedXdist(Part, frozen=True, kw_only=True, gc=False):
    """How long the suite would take with -n of pytest-xdist, by a model. Failed and measured tests are left out."""

    cpus: Number
    alone: Annotated[Number, said("Seconds in one process without xdist.")]
    waits: Annotated[Number, said("Part of that time that is waiting, from 0 to 1.")]
    longest: Annotated[Number, said("Seconds that the longest test takes.")]
    predicted: list[PredictedTime]
    best: Annotated[Count | None, said("Workers worth using; null if they bring nothing.")]


class Survey(Part, frozen=True, kw_only=True, gc=False):
    """What --concurrency-survey found: each test in its one ordinary run."""

    elapsed: Annotated[Number, said("Seconds that the session took.")]
    workers: Annotated[Count, said("Workers of xdist; 0 without.")]
    measured_tests: Annotated[Count, said("Tests that measured concurrency, which are not surveyed.")]
    unseen_tests: Annotated[Count, said("Tests that another plugin ran in processes of its own: not surveyed.")]
    foreign: Annotated[
        Number | None, said("CPUs that other programs kept busy during the session; null if it is not known.")
    ]
    parts: list[SurveyedPart]
    blocks: Annotated[list[BlockedLine], said("The line with the longest block first.")]
    markers: Annotated[list[MarkerToPaste], said("The tests that are worth a marker, at most ten.")]
    xdist: PredictedXdist | None
    tests: Annotated[list[SurveyedTest], said("In the order in which they ended.")]
