"""``markdown:PATH``: one screen for the summary of a CI job: first what is not met, then a table of all verdicts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pytest_concurrency.core.text import sentence
from pytest_concurrency.core.units import count, duration
from pytest_concurrency.machine.cpus import describe_environment
from pytest_concurrency.reports import blocks, survey_view
from pytest_concurrency.reports.changes_view import Compared, anchored_of, compared_of
from pytest_concurrency.reports.left_by_test import MORE, LeftByTest, headline_of, left_by_test
from pytest_concurrency.reports.page import view
from pytest_concurrency.reports.page.explored import Explored, explored_of
from pytest_concurrency.reports.rows import Row, amounts, label_of, rows_of, shorten, tally

FOR_PEOPLE = True
_SIGNS = {"met": "✅", "not_met": "❌", "undecided": "❔", "unmeasurable": "➖"}
# A job summary of GitHub has room for 1 MiB, and few readers read more than a screen.
_MOST_TOLD = 10
_MOST_ROWS = 200
_MOST_BLOCKS = 30
_FOLDED_FROM = 12  # rows; a table with more is folded, so that one screen shows what matters
_LONGEST_ID = 90
_LONGEST_LINE = 140
_LONGEST_TEXT = 600
_SPECIAL = re.compile(r"[\\`*\[\]<>|~$]|(?<!\w)_|_(?!\w)")  # an underscore inside a word has no special meaning
_TICKS = re.compile("`+")


def unavailable() -> str | None:
    return None


def render(run: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    rows = sorted(rows_of(run["records"]), key=lambda row: row.severity)
    notable = [row for row in rows if row.verdict != "met"]
    unjudged = [record for record in run["records"] if not record["expectations"] and record.get("arms")]
    blocked = blocks.blocks_of(run)
    exploration = explored_of(run)
    comparisons = [found for found in (compared_of(run), anchored_of(run)) if found is not None]
    survey = run.get("survey")
    worst, said = _headline(rows, unjudged, comparisons, blocked)
    if exploration and not rows:
        said = _text(exploration.headline)
    sign = "" if (exploration or survey) and not rows else f"{_SIGNS[worst]} "  # without verdicts, a sign would mislead
    if rows or unjudged or not survey:
        yield f"## {sign}Concurrency: {said}\n\n"
    for comparison in comparisons:
        yield from _compared(comparison)
    for row in notable[:_MOST_TOLD]:
        yield _told(row)
    if rest := notable[_MOST_TOLD:]:
        yield f"… and {len(rest)} more: {amounts(rest)}; see the table.\n\n"
    if rows:
        yield from _table(rows)
    yield from _left_running(left_by_test(rows))
    if exploration:
        yield from _tools(exploration)
    if blocked is not None and blocked.times:
        yield from _blocked(blocked)
    yield from _measured(unjudged)
    if survey:
        yield from _surveyed(survey)
    yield f"<sub>{_escape(describe_environment(run['environment']))}</sub>\n"


def _headline(
    rows: Sequence[Row],
    unjudged: Sequence[Mapping[str, Any]],
    comparisons: Sequence[Compared],
    blocked: blocks.Blocks | None,
) -> tuple[str, str]:
    """Return the verdict whose sign the headline has, and its text."""
    worst = rows[0].verdict if rows else "unmeasurable"
    said = "no test had an expectation, so there is no verdict" if unjudged and not rows else tally(rows)
    if headlines := [found.headline for found in comparisons if found.headline]:
        worst, said = "not_met", f"{_text(' '.join(headlines))} {said}"
    if blocked is not None and (blocked.faults or not (rows or unjudged)):
        worst = "not_met" if blocked.faults else "met"
        said = blocked.headline if not (rows or unjudged) else f"{blocked.headline} {said}"
    return worst, said


def _compared(found: Compared) -> Iterator[str]:
    """Yield what has become worse with high confidence, the other changes, and a tally."""
    for change in (*found.worse[:_MOST_TOLD], *found.others[:_MOST_TOLD]):
        sign = {"not_met": "❌", "met": "📈"}.get(change.tone, "❔")
        yield f"- {sign} {_code(change.nodeid)} is **{change.word}**" + (
            f": {_text(change.text)}\n" if change.text else "\n"
        )
    left = sum(max(0, len(changes) - _MOST_TOLD) for changes in (found.worse, found.others))
    if left:
        yield f"- … and {count(left, 'more change', 'more changes')}; html:PATH has all.\n"
    if found.worse or found.others:
        yield "\n"
    if found.tally:
        yield f"Compared with {_escape(found.baseline)}: {_escape(found.tally)}.\n\n"


def _tools(found: Explored) -> Iterator[str]:
    """Yield all tools side by side, the one to use, and the test to paste."""
    yield "| tool | speedup | interval | efficiency |\n|---|--:|---|--:|\n"
    for tool in found.tools:
        name = f"**{_escape(tool.name)}** (use this)" if tool.used else _escape(tool.name)
        cells = (
            (name, tool.figure, _escape(tool.interval), tool.efficiency)
            if tool.figure
            else (name, "-", _text(tool.reason), "-")
        )
        yield f"| {' | '.join(cells)} |\n"
    yield f"\n**Use** {_text(found.why)}\n\n"
    for remark in found.remarks:
        yield f"- {_text(remark)}\n"
    if found.remarks:
        yield "\n"
    if found.source:
        fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(found.source)), default=0))
        yield f"To keep this speedup, paste this into a test file:\n\n{fence}python\n{found.source}\n{fence}\n\n"


def _told(row: Row) -> str:
    """Return what is not met, why, and what to do about it."""
    lines = [f"- {_SIGNS[row.verdict]} {_code(row.nodeid)} is **{label_of(row.verdict)}**: {_text(row.headline)}"]
    for label, text in (("Cause", row.cause), ("Where", row.place), ("Try", row.try_next)):
        if text:
            lines.append(f"  **{label}:** {_text(text)}")
    if row.more:
        lines[-1] += f" ([more about this]({row.more}))"
    if row.change:
        lines.append(f"  {_text(row.change)}")
    return "  \n".join(lines) + "\n\n"


def _table(rows: Sequence[Row]) -> Iterator[str]:
    folded = len(rows) > _FOLDED_FROM
    if folded:
        yield f"<details><summary>All {count(len(rows), 'verdict')}</summary>\n\n"
    yield "| | test | expects | figure | required | bound | workers | time |\n|---|---|---|---|---|---|---|--:|\n"
    for row in rows[:_MOST_ROWS]:
        cells = (
            f"{_SIGNS[row.verdict]} {label_of(row.verdict)}",
            _in_cell(_code(row.nodeid)),
            _escape(row.expects),
            row.figure,
            _escape(row.required),
            row.bound or "-",
            _escape(row.workers),
            duration(row.expectation["seconds"]),
        )
        yield f"| {' | '.join(cells)} |\n"
    yield "\n"
    if len(rows) > _MOST_ROWS:
        yield f"{len(rows) - _MOST_ROWS} more rows are left out here; html:PATH and json:PATH have all.\n\n"
    if folded:
        yield "</details>\n\n"


def _left_running(tests: Sequence[LeftByTest]) -> Iterator[str]:
    """Yield what the measured code of each test has left running."""
    if not tests:
        return
    yield f"**{headline_of(tests)}** ([more about this]({MORE}))\n\n"
    for test in tests[:_MOST_TOLD]:
        yield f"- {_code(test.nodeid)}\n"
        for what, made_at in test.lines[:_MOST_TOLD]:
            yield f"  - {_text(what)}" + (f", started at {_text(made_at)}\n" if made_at else "\n")
        if len(test.lines) > _MOST_TOLD:
            yield f"  - … and {len(test.lines) - _MOST_TOLD} more\n"
    if len(tests) > _MOST_TOLD:
        yield f"- … and {count(len(tests) - _MOST_TOLD, 'more test', 'more tests')}; json:PATH has all.\n"
    yield "\n"


def _blocked(found: blocks.Blocks) -> Iterator[str]:
    """Yield the lines that blocked event loops, the longest block first."""
    yield f"### {sentence(found.title).rstrip('.')}\n\n{_escape(found.summary)}\n\n"
    yield "| longest | times | tests | where | |\n|--:|--:|--:|---|---|\n"
    for line in found.lines[:_MOST_BLOCKS]:
        cells = (
            duration(line.longest),
            str(line.times),
            str(line.tests),
            _in_cell(_code(line.where, _LONGEST_LINE)),
            _escape(line.remark),
        )
        yield f"| {' | '.join(cells)} |\n"
    yield "\n"
    if len(found.lines) > _MOST_BLOCKS:
        yield f"{len(found.lines) - _MOST_BLOCKS} more lines are left out here; html:PATH and json:PATH have them.\n\n"


def _measured(records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what was measured without an expectation, as in an exploration."""
    for test in view.tests_of({"records": records[:_MOST_TOLD]}, ()):
        said = [text for text in (test.bound, sentence(test.evidence), test.interference) if text]
        yield f"{_code(test.nodeid)}: {_text(' '.join(said))}\n\n"
        if test.arms:
            yield "| who | computing | waiting | waiting for a CPU | a body done every |\n|---|--:|--:|--:|--:|\n"
            for arm in test.arms:
                cells = (_escape(arm.name), arm.cpu_text, arm.waiting_text, arm.delay_text, arm.every)
                yield f"| {' | '.join(cells)} |\n"
            yield "\n"
    if len(records) > _MOST_TOLD:
        yield f"… and {len(records) - _MOST_TOLD} more without an expectation; html:PATH and json:PATH have all.\n\n"


def _surveyed(survey: Mapping[str, Any]) -> Iterator[str]:
    """Yield the survey of the suite's ordinary run."""
    found = survey_view.view_of(survey, _MOST_TOLD)
    yield f"## Concurrency survey\n\n{_text(found.headline)}\n\n"
    if found.xdist:
        yield f"**What pytest-xdist would bring:** {_text(found.xdist)}\n\n"
    yield from _columns(survey_view.PART_HEADS, found.parts, _escape)
    for head, rows in (("what waits", found.waits), ("what computes", found.computes)):
        yield from _columns((head, *survey_view.LIST_HEADS), rows, _code)
    yield from _columns(survey_view.BLOCK_HEADS, found.blocks, _code)
    if found.markers:
        yield "**Tests worth a marker**\n\n"
    for marker in found.markers:
        yield f"- {_code(marker.nodeid)}: {_text(marker.why)}  \n  {_code(marker.marker)}\n"
    yield "\n" if found.markers else ""
    for note in found.notes:
        yield f"{_text(note)}\n\n"
    yield f"[More about surveys]({survey_view.MORE})\n\n"


def _columns(heads: Sequence[str], rows: Sequence[Sequence[str]], name: Callable[[str], str]) -> Iterator[str]:
    if rows:
        yield f"| {' | '.join(heads)} |\n|---{'|--:' * (len(heads) - 1)}|\n"
        yield from (f"| {' | '.join((_in_cell(name(row[0])), *map(_escape, row[1:])))} |\n" for row in rows)
        yield "\n"


def _text(text: str) -> str:
    return _escape(text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…")


def _code(text: str, most: int = _LONGEST_ID) -> str:
    """Return a test's id as code. If the id contains backticks, the code is enclosed in a longer row of them."""
    short = shorten(_one_line(text), most)
    ticks = "`" * (1 + max(map(len, _TICKS.findall(short)), default=0))
    space = " " if "`" in short else ""
    return f"{ticks}{space}{short}{space}{ticks}"


def _in_cell(code: str) -> str:
    """Escape pipes: a pipe ends a cell of a table, even in code, unless one backslash precedes it."""
    return code.replace("\\|", "\\ |").replace("|", "\\|")


def _escape(text: str) -> str:
    """Escape text that is not trusted, so that nothing in it has a meaning in Markdown or HTML."""
    return _SPECIAL.sub(r"\\\g<0>", _one_line(text).replace("&", "&amp;"))


def _one_line(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
