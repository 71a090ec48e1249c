from __future__ import annotations

import re
from typing import Any

import pytest

from pytest_concurrency.core.outcomes import Arm, Finding, PerBody
from pytest_concurrency.machine import cpus
from pytest_concurrency.reports.formats import markdown
from pytest_concurrency.runs import record

from ..make import outcome
from .test_blocks import SOME

SLOW = Finding("serialized", '4 threads were\n"4 x" as *slow*.', cause="It waits.", try_next="Remove the_lock.")


def run_of(*records: dict[str, Any]) -> dict[str, Any]:
    return record.run_of(cpus.environment(), records)


def text_of(*records: dict[str, Any]) -> str:
    return "".join(markdown.render(run_of(*records), ()))


def one(nodeid: str = "test_a.py::test_a", **changes: Any) -> dict[str, Any]:
    return record.record_of(nodeid, [outcome(**changes)])


def table_of(text: str) -> list[list[str]]:
    """The rows of the table, split as GitHub does: at pipes without a backslash before them."""
    lines = [line for line in text.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_what_is_not_met_comes_first_with_reason_and_advice() -> None:
    text = text_of(one("t.py::met"), one("t.py::slow", verdict="not_met", finding=SLOW))
    lines = text.splitlines()
    assert lines[0] == "## ❌ Concurrency: 2 verdicts: 1 met, 1 not met"
    assert lines[2].startswith('- ❌ `t.py::slow` is **not met**: 4 threads were "4 x" as \\*slow\\*.')
    assert lines[3] == "  **Cause:** It waits.  "
    assert lines[4].startswith("  **Try:** Remove the_lock. ([more about this](https://")
    assert [row[1] for row in table_of(text)] == ["`t.py::slow`", "`t.py::met`"]
    assert cpus.describe() in lines[-1].replace("\\", "")


def test_all_met_is_one_look() -> None:
    text = text_of(one())
    assert text.startswith("## ✅ Concurrency: 1 verdict: 1 met\n\n| | test |")
    (row,) = table_of(text)
    assert row == [
        "✅ met",
        "`test_a.py::test_a`",
        "speedup",
        "3.97x [3.91, 4.02]",
        "\\>= 3x",
        "io",
        "4 threads",
        "250 ms",
    ]


def test_what_is_undecided_says_what_to_do() -> None:
    assert "  **Try:** run it on a quieter machine. ([more" in text_of(one(verdict="undecided"))


def test_verdicts_beyond_the_listed_ones_are_counted_by_verdict() -> None:
    verdicts = ["met"] * 5 + ["unmeasurable"] * 2 + ["undecided"] * 3 + ["not_met"] * 11
    text = text_of(*(one(f"t.py::{number}", verdict=verdict) for number, verdict in enumerate(verdicts)))
    assert "\n… and 6 more: 1 not met, 3 undecided, 2 unmeasurable; see the table.\n" in text


HOSTILE = [
    "t.py::a|b",
    "t.py::a\\|b",
    "t.py::`x` ``y``",
    "t.py::<script>alert(1)</script>",
    "t.py::a\n# head\r\n| x |",
    "t.py::[text](http://example.com) ![i](x)",
    "t.py::größe ☃ \x1b[31m \u202e",
    "t.py::" + "x" * 10_000,
    "",
]


@pytest.mark.parametrize("nodeid", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("verdict", ["met", "not_met"])
def test_a_test_id_is_not_trusted(nodeid: str, verdict: str) -> None:
    text = text_of(one(nodeid, verdict=verdict, finding=SLOW if verdict == "not_met" else None))
    (row,) = table_of(text)
    assert len(row) == 8
    assert row[2] == "speedup"
    ticks = re.match("`+", row[1])
    assert ticks
    assert row[1].endswith(ticks[0])
    assert ticks[0] not in row[1].strip("`"), "nothing inside ends the code"
    assert sum(line.startswith("#") for line in text.splitlines()) == 1
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text) < 1500
    outside = re.sub(r"(`+).*?(?<!`)\1(?!`)", "", text)
    assert "<script" not in outside


def test_words_of_a_reason_have_no_special_meaning() -> None:
    text = text_of(one(verdict="undecided", finding=None, reason="<b>x</b> [a](b) *c* _d_ `e` f_g & | ~~h~~"))
    told = next(line for line in text.splitlines() if line.startswith("- "))
    assert told.endswith(r"\<b\>x\</b\> \[a\](b) \*c\* \_d\_ \`e\` f_g &amp; \| \~\~h\~\~")


def test_a_long_run_stays_one_screen() -> None:
    many = [one(f"t.py::test_{number}", verdict="not_met", finding=SLOW) for number in range(3000)]
    text = text_of(*many)
    before = text.partition("<details>")[0]
    assert len(before.splitlines()) < 50
    assert "… and 2990 more: 2990 not met; see the table." in before
    assert "<summary>All 3000 verdicts</summary>" in text
    assert "2800 more rows are left out here" in text
    assert len(text) < 100_000


def test_a_run_in_which_nothing_was_measured() -> None:
    assert text_of().startswith("## ➖ Concurrency: 0 verdicts: no test measured anything\n")


def test_a_record_without_expectations_shows_what_was_measured() -> None:
    arm = Arm("threads", 4, 2, (0.02,), (0.004,), None, (0.076,), "", PerBody(0.01, 0.0005, 0.0095, None))
    measured = {**one("shop:fetch", arms=(arm,)), "expectations": []}
    text = text_of(measured)
    assert text.startswith(
        "## \u2796 Concurrency: no test had an expectation, so there is no verdict\n\n`shop:fetch`: "
    )
    assert "| 4 threads | 500 us | 9.50 ms | not readable |" in text
    assert "1 verdict: 1 met" in text_of(measured, one())


def test_a_test_that_is_met_and_slower_than_its_baseline_comes_first() -> None:
    changes = [
        {"nodeid": "t.py::a|b", "kind": "regression", "is_regression": True, "text": "speedup: 3.90x -> 1.00x (-74%)"},
        {"nodeid": "t.py::new", "kind": "new", "is_regression": False, "text": "speedup: 2.00x"},
    ]
    comparison = {"baseline": "base", "tally": "1 compared: 1 regressed; 1 new", "changes": changes}
    text = "".join(markdown.render({**run_of(one("t.py::a|b")), "comparison": comparison}, ()))
    assert text.startswith("## \u274c Concurrency: 1 test has regressed since base. 1 verdict: 1 met\n")
    assert "- \u274c `t.py::a|b` is **regressed**: speedup: 3.90x -\\> 1.00x (-74%)\n" in text
    assert "Compared with base: 1 compared: 1 regressed; 1 new." in text


def test_an_exploration_shows_every_tool_and_what_to_use() -> None:
    ratio = {"value": 3.9, "low": 3.8, "high": 4.0, "unit": "ratio"}
    exploration = {
        "target": "shop:fetch",
        "arguments": "",
        "async": False,
        "use": "threads",
        "why": "threads. It waits.",
        "markers": ["@pytest.mark.expect_speedup(threads=4, at_least=3)"],
        "remarks": ["It prints `this`."],
        "sides": [
            {"backend": "threads", "workers": 4, "speedup": ratio},
            {"backend": "interpreters", "workers": 4, "speedup": None, "reason": "needs <Python> 3.14"},
        ],
    }
    measured = {**one("shop:fetch"), "expectations": []}
    text = "".join(markdown.render({**run_of(measured), "exploration": exploration}, ()))
    assert text.startswith("## Concurrency: 4 threads make shop:fetch 3.90x as fast.\n")
    assert "| **4 threads** (use this) | 3.90x | \\[3.80, 4.00\\] | 98% |\n" in text
    assert "| 4 interpreters | - | needs \\<Python\\> 3.14 | - |\n" in text
    assert "**Use** threads. It waits." in text
    assert "- It prints \\`this\\`." in text
    assert "```python\nimport pytest\nfrom shop import fetch\n" in text


def test_blocks_of_event_loops_are_a_table() -> None:
    text = "".join(markdown.render({**SOME, "environment": cpus.environment()}, ()))
    assert text.startswith("## ❌ Concurrency: 2 blocks of event loops are longer than 50 ms.\n")
    assert "### Blocks of the event loop above 50 ms" in text
    rows = [line for line in text.splitlines() if line.endswith(" |") and "ms" in line]
    assert rows[0] == "| 400 ms | 1 | 1 | `b.py:2 in g: y()` | allowed: old driver |"
    assert len(rows) == 3


def test_blocks_come_before_verdicts_in_the_headline() -> None:
    run = {**run_of(one(), *SOME["records"]), "max_block": 0.05}
    text = "".join(markdown.render(run, ()))
    assert text.startswith("## ❌ Concurrency: 2 blocks of event loops are longer than 50 ms. 1 verdict: 1 met\n")
