"""``markdown:PATH``: one screen for the summary of a CI job: what is not met first, then everything in a table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_concurrency.core.text import sentence
from pytest_concurrency.core.units import count, duration
from pytest_concurrency.machine.cpus import describe_environment
from pytest_concurrency.reports import blocks
from pytest_concurrency.reports.changes_view import Compared, compared_of
from pytest_concurrency.reports.page import view
from pytest_concurrency.reports.page.explored import Explored, explored_of
from pytest_concurrency.reports.rows import Row, label_of, rows_of, shorten, tally

FOR_PEOPLE = True
_SIGNS = {"met": "✅", "not_met": "❌", "undecided": "❔", "unmeasurable": "➖"}
# A job summary of GitHub holds 1 MiB, and a reader less.
_MOST_TOLD = 10
_MOST_ROWS = 200
_MOST_BLOCKS = 30
_FOLDED_FROM = 12  # rows from which the table is folded, so that one screen shows what matters
_LONGEST_ID = 90
_LONGEST_LINE = 140
_LONGEST_TEXT = 600
_SPECIAL = re.compile(r"[\\`*\[\]<>|~$]|(?<!\w)_|_(?!\w)")  # an underscore inside a word means itself
_TICKS = re.compile("`+")


def unavailable() -> str | None:
    return None


def render(run: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    rows = sorted(rows_of(run["records"]), key=lambda row: row.severity)
    notable = [row for row in rows if row.verdict != "met"]
    unjudged = [record for record in run["records"] if not record["expectations"] and record.get("arms")]
    blocked = blocks.blocks_of(run)
    exploration = explored_of(run)
    comparison = compared_of(run)
    worst = rows[0].verdict if rows else "unmeasurable"
    said = "nothing was expected, so there is no verdict" if unjudged and not rows else tally(rows)
    if comparison and comparison.headline:
        worst, said = "not_met", f"{_text(comparison.headline)} {said}"
    if exploration and not rows:
        said = _text(exploration.headline)
    if blocked is not None and (blocked.faults or not (rows or unjudged)):
        worst = "not_met" if blocked.faults else "met"
        said = blocked.headline if not (rows or unjudged) else f"{blocked.headline} {said}"
    sign = "" if exploration and not rows else f"{_SIGNS[worst]} "  # nothing was judged
    yield f"## {sign}Concurrency: {said}\n\n"
    if comparison:
        yield from _compared(comparison)
    for row in notable[:_MOST_TOLD]:
        yield _told(row)
    if len(notable) > _MOST_TOLD:
        yield f"… and {len(notable) - _MOST_TOLD} more that are not met; the table has them.\n\n"
    if rows:
        yield from _table(rows)
    if exploration:
        yield from _tools(exploration)
    if blocked is not None and blocked.times:
        yield from _blocked(blocked)
    yield from _measured(unjudged)
    yield f"<sub>{_escape(describe_environment(run['environment']))}</sub>\n"


def _compared(found: Compared) -> Iterator[str]:
    """What is worse for certain, what has changed otherwise, and a tally."""
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
    """Every tool side by side, which one to use, and the test to paste."""
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
        yield f"To keep it so, paste this into a test:\n\n{fence}python\n{found.source}\n{fence}\n\n"


def _told(row: Row) -> str:
    """What is not met, why, and what to do about it."""
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


def _blocked(found: blocks.Blocks) -> Iterator[str]:
    """The lines that blocked event loops, the longest block first."""
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
    """What was measured without an expectation, as an exploration is."""
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


def _text(text: str) -> str:
    return _escape(text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…")


def _code(text: str, most: int = _LONGEST_ID) -> str:
    """A test's id as code, whatever it holds: longer ticks around those inside."""
    short = shorten(_one_line(text), most)
    ticks = "`" * (1 + max(map(len, _TICKS.findall(short)), default=0))
    space = " " if "`" in short else ""
    return f"{ticks}{space}{short}{space}{ticks}"


def _in_cell(code: str) -> str:
    """A pipe ends a table's cell, in code too, unless one backslash stands before it."""
    return code.replace("\\|", "\\ |").replace("|", "\\|")


def _escape(text: str) -> str:
    """Take every special meaning in Markdown and HTML from text that is not trusted."""
    return _SPECIAL.sub(r"\\\g<0>", _one_line(text).replace("&", "&amp;"))


def _one_line(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
