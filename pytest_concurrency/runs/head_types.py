"""What a run's file holds beside its records, as types: the environment, and what it was compared with.

run_types.py has the rest, and says how the fields are read. This module needs msgspec: import it on use.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from pytest_concurrency.runs.survey_types import Survey
from pytest_concurrency.runs.type_parts import Count, Number, Part, known, said


class CoreKinds(Part, frozen=True, kw_only=True, gc=False):
    """How many of the allowed CPUs are performance and efficiency cores; empty where all are alike."""

    performance: Count | UnsetType = UNSET
    efficiency: Count | UnsetType = UNSET


class Environment(Part, frozen=True, kw_only=True, gc=False):
    """The machine and the interpreter."""

    python: str
    implementation: str
    gil: Annotated[bool, said("Whether the interpreter ran with its global interpreter lock.")]
    free_threaded_build: bool = False
    system: str
    machine: str = ""
    cpus_usable: Annotated[Number, said("What this process may keep busy: affinity, then quota. May be a fraction.")]
    cpus_logical: Number | None = None
    cpus_allowed: Annotated[Number | UnsetType | None, said("CPUs that this process may run on: its affinity.")] = UNSET
    python_cpu_count: Annotated[
        Number | UnsetType | None, said("What PYTHON_CPU_COUNT or -X cpu_count give, or null.")
    ] = UNSET
    cores: Annotated[
        Number | UnsetType | None,
        said("Cores that the allowed CPUs are hardware threads of, or null if that is not known."),
    ] = UNSET
    core_kinds: CoreKinds | UnsetType = UNSET
    cpu_quota: Annotated[Number | None, said("CPUs that the control group allows, or null without a quota.")] = None
    priority: Annotated[
        str | UnsetType, said("Priority that batches were measured at: ordinary, real-time, or nice and its value.")
    ] = UNSET
    switch_interval: Number = 0.005
    missing_readings: Annotated[list[str], said("Readings that this platform does not have, each with the reason.")] = (
        field(default_factory=list)
    )


class ChangedTest(Part, frozen=True, kw_only=True, gc=False):
    """One expectation that is not as it was."""

    nodeid: str
    kind: Annotated[str, known("regression", "verdict", "improvement", "unsure", "noise", "same", "new", "gone")]
    is_regression: Annotated[bool, said("A loss that is certain, or an expectation that was met and is not met now.")]
    text: Annotated[str, said("What has changed, for people.")]


class Comparison(Part, frozen=True, kw_only=True, gc=False):
    """What has changed since the run that --concurrency-compare names. What is unchanged is only counted."""

    baseline: Annotated[str, said("The name of that run.")]
    baseline_created: Annotated[str | UnsetType, said("When it was saved; empty if it does not say.")] = UNSET
    tally: Annotated[str, said("How many changes of each kind there are, in words.")]
    changes: Annotated[list[ChangedTest], said("The worst first.")]


class Head(Part, frozen=True, kw_only=True, gc=False):
    """All of a run but its records."""

    schema: Literal[1]
    name: Annotated[str | UnsetType, said("Of a saved run: the name that it was saved under.")] = UNSET
    created: Annotated[
        str | UnsetType,
        Meta(
            description="Of a saved run: when, in UTC (ISO 8601).",
            extra_json_schema={"format": "date-time"},
        ),
    ] = UNSET
    regressions: Annotated[
        list[str] | UnsetType,
        said("Of a saved run: tests that failed as regressions. It is a baseline only if it is asked for by name."),
    ] = UNSET
    comparison: Comparison | UnsetType = UNSET
    survey: Annotated[Survey | UnsetType, said("With --concurrency-survey: each test in its ordinary run.")] = UNSET
    anchor: Annotated[Comparison | UnsetType, said("The same since the run that --concurrency-anchor names.")] = UNSET
    environment: Environment
