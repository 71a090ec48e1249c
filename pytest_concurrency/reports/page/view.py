"""The tests of a run as the page shows them, with their verdicts and histories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pytest_concurrency.expectations import EFFICIENCY
from pytest_concurrency.reports.left_by_test import LeftByTest, left_by_test
from pytest_concurrency.reports.page import sentences
from pytest_concurrency.reports.page.arms import ArmBar, arms_of
from pytest_concurrency.reports.page.flame import Profiled, profiles_of
from pytest_concurrency.reports.page.scales import Scale, scale_of
from pytest_concurrency.reports.page.timeline import Timeline, timelines_of
from pytest_concurrency.reports.rows import ORDER, Row, name_of, rows_of, shorten
from pytest_concurrency.runs import fingerprint, run_comparison
from pytest_concurrency.runs.record import is_measured

LONGEST_ID = 140


class Verdict(NamedTuple):
    """One expectation of a test."""

    row: Row
    written: str  # as the author wrote it
    sentence: str
    required: str
    scale: Scale | None
    message: str  # the whole message, as pytest showed it


class History(NamedTuple):
    """The figure of one expectation over the runs, oldest first; the last one is from this run."""

    labels: tuple[str, ...]
    estimates: tuple[Mapping[str, Any], ...]
    threshold: float | None


@dataclass(frozen=True, slots=True)
class Test:
    """One record."""

    anchor: str
    nodeid: str
    verdicts: tuple[Verdict, ...]
    arms: tuple[ArmBar, ...]
    bound: str
    evidence: str
    interference: str
    histories: tuple[tuple[Verdict, History], ...]
    was_measured: bool  # False if the test was only watched in its ordinary run
    timelines: tuple[Timeline, ...]
    profiles: tuple[Profiled, ...]
    left: LeftByTest | None = None  # what its measured code has left running

    @property
    def severity(self) -> int:
        """0 for the worst; a record without expectations comes last."""
        return min((verdict.row.severity for verdict in self.verdicts), default=len(ORDER))

    @property
    def notes(self) -> list[str]:
        """How the workers ran."""
        return list(dict.fromkeys(arm.note for arm in self.arms if arm.note))

    @property
    def short_id(self) -> str:
        return shorten(self.nodeid, LONGEST_ID)

    @property
    def file(self) -> str:
        """The part of the shortened id before the test's name."""
        return self.short_id.removesuffix(self.name)

    @property
    def name(self) -> str:
        name = name_of(self.nodeid)
        return name if self.short_id.endswith(name) else self.short_id


def tests_of(run: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> list[Test]:
    """Return the tests of a run, the worst first; equally severe ones are in the order in which they ran."""
    earlier = [_estimates_of(past) for past in history]
    labels = tuple(str(past.get("created") or past.get("name") or "")[:16].replace("T", " ") for past in history)
    tests = []
    for place, record in enumerate(run["records"]):
        was_measured = is_measured(record)
        timelines = timelines_of(record)
        if not (was_measured or timelines) and record.get("blocks"):
            continue  # the list of blocks already has this test
        verdicts = tuple(_verdict(row) for row in rows_of([record]))
        histories = []
        for key, verdict in zip(run_comparison.expectations_of(record), verdicts, strict=True):
            if found := _history(verdict.row, (record["nodeid"], key), earlier, labels):
                histories.append((verdict, found))
        bound = record.get("bound")
        tests.append(
            Test(
                anchor=f"test-{place + 1}",
                nodeid=record["nodeid"],
                verdicts=verdicts,
                arms=arms_of(record.get("arms", ())),
                bound=sentences.bound_type(bound) if bound else "",
                evidence=bound["evidence"] if bound else "",
                interference=sentences.interference(record.get("interference", {})) if was_measured else "",
                histories=tuple(histories),
                left=next(iter(left_by_test([verdict.row for verdict in verdicts])), None),
                was_measured=was_measured,
                timelines=timelines,
                profiles=profiles_of(record),
            )
        )
    return sorted(tests, key=lambda test: test.severity)


def efficiency_of(row: Row) -> float | None:
    """Return the lowest speedup per worker that a scaling curve's test allows; None if it is not valid."""
    value = row.expectation["arguments"].get("efficiency", EFFICIENCY)
    return float(value) if isinstance(value, (int, float)) and 0 < value <= 1 else None


def comparable(run: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the earlier runs of a machine like this one, without this run, which may have been saved already."""
    figures = _estimates_of(run)
    return [
        past
        for past in history
        if not fingerprint.differences(past["environment"], run["environment"]) and _estimates_of(past) != figures
    ]


_Key = tuple[str, run_comparison.Key]


def _estimates_of(run: Mapping[str, Any]) -> dict[_Key, Mapping[str, Any]]:
    return {
        (record["nodeid"], key): expectation["estimate"]
        for record in run["records"]
        for key, expectation in run_comparison.expectations_of(record).items()
        if expectation["estimate"] is not None
    }


def _history(
    row: Row, key: _Key, earlier: Sequence[Mapping[_Key, Mapping[str, Any]]], labels: Sequence[str]
) -> History | None:
    now = row.expectation["estimate"]
    known = [
        (label, past[key])
        for label, past in zip(labels, earlier, strict=True)
        if key in past and now is not None and past[key]["unit"] == now["unit"]
    ]
    if not known:
        return None
    return History(
        tuple(label for label, _ in known),
        (*(estimate for _, estimate in known), now),
        row.expectation["threshold"] if row.claim != "overlap" else None,
    )


def _verdict(row: Row) -> Verdict:
    arguments = ", ".join(f"{name}={value!r}" for name, value in row.expectation["arguments"].items())
    call = row.marker if not row.of_fixture else f"concurrency.{row.marker}"
    return Verdict(
        row=row,
        written=shorten(f"{call}({arguments})", 200),
        sentence=sentences.found(row),
        required=sentences.required(row),
        scale=scale_of(row),
        message=row.reason,
    )
