"""Renders the HTML page from the view, the charts and the template."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from itertools import count
from typing import Any

import jinja2
from markupsafe import Markup

import pytest_concurrency
from pytest_concurrency.core.text import sentence
from pytest_concurrency.core.units import count as number_of
from pytest_concurrency.core.units import duration, formatter, number, ratio, share
from pytest_concurrency.machine.cpus import describe_environment
from pytest_concurrency.reports import blocks, changes_view, left_by_test, survey_view
from pytest_concurrency.reports.page import charts, explored, sentences, survey, timeline_chart, view
from pytest_concurrency.reports.page.timeline import Timeline
from pytest_concurrency.reports.rows import ORDER, Row, counts_of, rows_of, shorten

# Control characters, directional marks, and surrogates, which come from file names that are not valid text.
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_TICKS = {"ratio": lambda value: f"{number(value)}x", "share": share, "seconds": duration}
_MOST_LINES = 500  # lines shown in the list of blocks
_FOLDER = resources.files("pytest_concurrency.reports.page")


def render(run: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Return the page in pieces; every text of the run is escaped."""
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters.update(duration=duration, ratio=ratio, share=share, sentence=sentence, shorten=shorten)
    rows = list(rows_of(run["records"]))
    past = view.comparable(run, history)
    numbers = count(1)

    tests = view.tests_of(run, past)
    exploration = explored.explored_of(run)
    sides = {"compared": changes_view.compared_of(run), "anchor": changes_view.anchored_of(run)}
    comparisons = {place: found for place, found in sides.items() if found is not None}
    blocked = blocks.blocks_of(run)

    def curve(verdict: view.Verdict) -> Markup:
        points, efficiency = verdict.row.curve, view.efficiency_of(verdict.row)
        said = "; ".join(f"{point['workers']} workers {ratio(point['speedup']['value'])}" for point in points)
        return Markup(charts.curve(points, efficiency, next(numbers), f"Scaling curve: {said}"))

    def development(history_: view.History) -> Markup:
        unit = history_.estimates[0]["unit"]
        say = formatter(unit)
        said = ", ".join(say(estimate["value"]) for estimate in history_.estimates)
        return Markup(
            charts.history(
                history_.estimates,
                history_.threshold,
                _TICKS[unit],
                next(numbers),
                f"The figure over the runs, oldest first: {said}",
            )
        )

    def timeline(found: Timeline) -> Markup:
        return Markup(timeline_chart.draw(found))

    template = environment.from_string((_FOLDER / "page.html.jinja").read_text(encoding="utf-8"))
    return template.generate(
        css=Markup((_FOLDER / "page.css").read_text(encoding="utf-8")),
        version=pytest_concurrency.__version__,
        created=str(run.get("created", ""))[:16].replace("T", " "),
        title=str(run.get("name", "")),
        machine=describe_environment(run["environment"]),
        missing_readings=run["environment"].get("missing_readings", []),
        comparisons=comparisons,
        anchors={test.nodeid: test for test in tests},
        summary=_summary(run, exploration, list(comparisons.values()), blocked, rows, tests),
        blocked=blocked,
        exploration=exploration,
        counts=counts_of(rows),
        bar=_bar(rows, list(comparisons.values())),
        total=len(rows),
        order=ORDER,
        tests=tests,
        measured=any(test.was_measured for test in tests),
        watched=any(test.timelines for test in tests),
        most_lines=_MOST_LINES,
        attention=[(test, verdict) for test in tests for verdict in test.verdicts if verdict.row.verdict != "met"],
        past=len(past),
        left_out=len(history) - len(past),
        left_more=left_by_test.MORE,
        interference=_interference(run, next(numbers)) if rows else None,
        curve=curve,
        timeline=timeline,
        drawn=Markup,
        development=development,
        surveyed=survey.section(environment, run),
    )


def _summary(
    run: Mapping[str, Any],
    exploration: explored.Explored | None,
    comparisons: Sequence[changes_view.Compared],
    blocked: blocks.Blocks | None,
    rows: Sequence[Row],
    tests: Sequence[view.Test],
) -> str:
    if exploration and not rows:
        return exploration.headline
    if run.get("survey") and not run["records"]:
        return survey_view.view_of(run["survey"], 0).headline
    measured = sum(test.was_measured for test in tests)
    parts = [found.headline for found in comparisons if found.headline]
    if rows or measured or not (tests or blocked):
        parts.append(sentences.summary_of(rows, measured))
    if blocked is not None and (blocked.faults or not parts):
        parts.append(blocked.headline)
    if not parts:
        watched = sum(len(test.timelines) for test in tests)
        parts.append(f"The calls of {number_of(watched, 'watched function')}; no test measured anything.")
    return " ".join(parts)


def _bar(rows: Sequence[Row], comparisons: Sequence[changes_view.Compared]) -> list[tuple[str, int]]:
    """Return the parts of the bar at the top, each with the verdict whose color it has. A regression is never green."""
    worse = {change.nodeid for found in comparisons for change in found.worse}
    looks = Counter(
        "not_met" if row.verdict == "met" and (row.is_regression or row.nodeid in worse) else row.verdict
        for row in rows
    )
    return [(verdict, looks[verdict]) for verdict in ORDER if looks[verdict]]


def _visible(value: Any) -> Any:
    """Replace characters that are invisible, cannot be encoded, or reverse the direction of the text after them."""
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", value) if type(value) is str else value


def _interference(run: Mapping[str, Any], number: int) -> Markup | None:
    values = [record.get("interference", {}) for record in run["records"] if record["expectations"]]
    if not any(value is not None for one in values for value in one.values()):
        return None
    usable = run["environment"]["cpus_usable"]
    worst = max(sum(amount or 0.0 for amount in one.values()) for one in values)
    at_most = f"{sentences.count_cpus(worst)} of {sentences.count_cpus(usable)}"
    label = f"CPUs that others used beside each test; at most {at_most}"
    return Markup(charts.interference(values, usable, number, label))
