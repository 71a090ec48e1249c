from __future__ import annotations

import io
import re
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_concurrency.core.outcomes import Bound, Estimate, Finding
from pytest_concurrency.reports import terminal
from pytest_concurrency.reports.terminal import Layout
from pytest_concurrency.runs import record

from ..make import outcome

LONG = "tests/integration/shop/test_checkout_of_large_baskets.py::TestCheckout::test_totals_of_all_customers[100-EUR]"
COLORS = {"green": 32, "red": 31, "yellow": 33, "bold": 1}
REASON = "no verdict within 10 s (max_time): of 40 rounds, 20 support at least 3.00x, and 20 were too noisy to count"


class FakeReporter:
    """As much of pytest's terminal reporter as the report uses, writing into a string."""

    def __init__(self, width: int, colored: bool = False, verbosity: int = 0) -> None:
        self._tw = SimpleNamespace(fullwidth=width)
        self._colored = colored
        self.verbosity = verbosity
        self.config = SimpleNamespace(getoption=lambda name, default=None: default)
        self._file = io.StringIO()

    def section(self, title: str, sep: str = "=", **markup: bool) -> None:
        self.write_line(f" {title} ".center(self._tw.fullwidth, sep))

    def ensure_newline(self) -> None:
        """The report begins on a line of its own; here every line is."""

    def write_line(self, line: str, **markup: bool) -> None:
        if self._colored:
            codes = "".join(f"\x1b[{COLORS[name]}m" for name in markup)
            line = f"{codes}{line}\x1b[0m" if codes else line
        self._file.write(line + "\n")

    @property
    def lines(self) -> list[str]:
        return self._file.getvalue().splitlines()


RECORDS = [
    record.record_of("test_fetch.py::test_fetch", [outcome()]),
    record.record_of(LONG, [outcome(verdict="not_met", rounds=12)]),
    record.record_of(
        "test_a.py::test_busy",
        [outcome(verdict="undecided", finding=Finding("undecided", REASON, try_next="raise max_time."))],
    ),
    record.record_of(
        "test_a.py::test_gate",
        [
            outcome(
                marker="expect_cpu_bound",
                arguments={"gil": "held"},
                claim="GIL",
                bound=Bound("cpu", 0.99, 0.01, "held"),
                estimate=Estimate(0.9, 0.88, 0.95, "share"),
                advice="it computes under the GIL: processes (or a free-threaded build)",
            ),
            outcome(verdict="unmeasurable", estimate=None, bound=None, rounds=2, advice=""),
        ],
    ),
]


def shown(
    width: int = 80, full: bool = True, colored: bool = False, records: Any = RECORDS, verbosity: int = 0
) -> list[str]:
    reporter = FakeReporter(width, colored, verbosity)
    terminal.show(reporter, records, Layout(full))
    return reporter.lines


def plain(line: str) -> str:
    return re.sub(r"\x1b\[\d+m", "", line)


@pytest.mark.parametrize("colored", [False, True])
@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_table_fits_the_terminal(width: int, colored: bool) -> None:
    lines = [plain(line) for line in shown(width, colored=colored)]
    start = next(index for index, line in enumerate(lines) if line.startswith("test "))
    for line in lines[start : start + 6]:
        assert len(line) <= width
    assert not any(line != line.rstrip() for line in lines)


def test_a_wide_terminal_shows_every_column_and_whole_names() -> None:
    lines = shown(200)
    head = next(line for line in lines if line.startswith("test "))
    assert head.split() == ["test", "verdict", "expects", "figure", "required", "bound", "workers", "rounds", "time"]
    not_met = next(line for line in lines if line.startswith(LONG))
    assert not_met.split()[1:] == [
        "not",
        "met",
        "speedup",
        "3.97x",
        "[3.91,",
        "4.02]",
        ">=",
        "3x",
        "io",
        "4",
        "threads",
        "12",
        "250",
        "ms",
    ]


def test_a_narrow_terminal_keeps_what_matters() -> None:
    lines = shown(80)
    start = next(number for number, line in enumerate(lines) if line.startswith("test "))
    assert lines[start].split() == ["test", "verdict", "expects", "value", "required", "bound"]
    assert lines[start + 1] == "test_fetch.py"
    assert lines[start + 2].split() == ["test_fetch", "met", "speedup", "3.97x", ">=", "3x", "io"]
    assert lines[start + 3] == LONG.partition("::")[0]
    assert lines[start + 4] == "  TestCheckout::test_totals_of_all_customers[100-EUR]", "whole, on a line of its own"
    assert lines[start + 5].split() == ["not", "met", "speedup", "3.97x", ">=", "3x", "io"]


def test_names_that_fit_leave_room_for_the_interval() -> None:
    lines = shown(
        80, records=[record.record_of("tests/a_file_of_some_length.py::test_of_23_characters_a", [outcome()])]
    )
    assert lines[2].split() == ["test", "verdict", "expects", "figure", "required", "bound"]
    assert "  test_of_23_characters_a  met      speedup  3.97x [3.91, 4.02]  >= 3x     io" in lines


def test_sorted_rows_are_not_gathered_by_file() -> None:
    reporter = FakeReporter(80)
    terminal.show(reporter, RECORDS, Layout(full=True, sort="-rounds"))
    assert "test_fetch.py" not in reporter.lines
    assert any(line.startswith("test_fetch ") for line in reporter.lines)


def test_tests_of_one_file_that_ran_apart_stand_below_its_name_again() -> None:
    tests = ["tests/test_a.py::test_one", "tests/test_b.py::test_two", "tests/test_a.py::test_three"]
    lines = shown(44, records=[record.record_of(test, [outcome()]) for test in tests])
    names = [line.split()[0] for line in lines[3:9]]
    assert names == ["tests/test_a.py", "test_one", "tests/test_b.py", "test_two", "tests/test_a.py", "test_three"]


def test_columns_are_aligned() -> None:
    lines = shown(200)
    start = next(index for index, line in enumerate(lines) if line.startswith("test "))
    column = lines[start].index("expects")
    assert [line[column:].split()[0] for line in lines[start + 1 : start + 6]] == [
        "speedup",
        "speedup",
        "speedup",
        "cpu_bound",
        "speedup",
    ]


def test_color_adds_nothing_but_color() -> None:
    assert [plain(line) for line in shown(colored=True)] == shown()
    rows = {plain(line).split()[0]: line for line in shown(200, colored=True) if line}
    assert rows["test_fetch.py::test_fetch"].startswith("\x1b[32m")
    assert rows[LONG].startswith("\x1b[31m")
    assert rows["test_a.py::test_busy"].startswith("\x1b[33m")


def test_without_the_table_only_what_is_not_met_is_reported() -> None:
    lines = shown(full=False)
    text = "\n".join(lines)
    assert "test_fetch" not in text
    assert lines[1] == f"NOT MET {LONG}"
    assert lines[2] == "  speedup 3.97x [3.91, 4.02], required >= 3x"
    assert lines[3:5] == [
        "  Cause: serialized. The code waits 99% of its time.",
        "  Where: test_shop.py:10 in fetch: with LOCK:",
    ]
    assert lines[5].endswith("/page/serialized/")
    assert lines[6].startswith("UNDECIDED test_a.py::test_busy speedup")
    assert REASON[1:] in " ".join(text.split())
    assert "  Try:   raise max_time." in lines
    assert any(line.startswith("  More:  https://") and line.endswith("/page/undecided/") for line in lines)
    assert lines[-1] == "5 verdicts: 2 met, 1 not met, 1 undecided, 1 unmeasurable"
    assert "is not met: " not in text  # pytest shows it with the failure


SHARE = Estimate(0.01, 0.01, 0.02, "share")
SECONDS = Estimate(0.019, 0.018, 0.02, "seconds")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"marker": "expect_speedup", "claim": "speedup"}, "speedup 3.97x [3.91, 4.02], required >= 3x"),
        ({"marker": "scaling", "claim": "speedup"}, "speedup 3.97x [3.91, 4.02], required >= 3x"),
        ({"marker": "expect_io_bound", "claim": "overlap"}, "speedup 3.97x [3.91, 4.02], required overlap"),
        (
            {"marker": "expect_io_bound", "claim": "waiting", "estimate": SHARE, "threshold": 0.5, "unit": "share"},
            "waits 1% of its time [1, 2], required >= 50%",
        ),
        (
            {"marker": "expect_cpu_bound", "claim": "computing", "estimate": SHARE, "threshold": 0.5, "unit": "share"},
            "computes 1% of its time [1, 2], required >= 50%",
        ),
        (
            {"marker": "expect_cpu_bound", "claim": "GIL", "estimate": SHARE, "arguments": {"gil": "released"}},
            "holds the GIL 1% of its CPU time [1, 2], required GIL released",
        ),
        (
            {"marker": "gil_hold", "claim": "longest hold", "estimate": SECONDS, "threshold": 5e-3, "unit": "seconds"},
            "longest GIL hold 19 ms [18 ms, 20 ms], required >= 5 ms",
        ),
        (
            {"marker": "loop_block", "claim": "longest block", "estimate": SECONDS, "threshold": None},
            "longest event-loop block 19 ms [18 ms, 20 ms]",
        ),
        ({"claim": "speedup", "estimate": None}, "speedup unknown, required >= 3x"),
    ],
)
def test_line_of_a_verdict_says_what_was_measured(changes: dict[str, Any], said: str) -> None:
    lines = shown(
        200, full=False, records=[record.record_of("test_a.py::test_b", [outcome(verdict="not_met", **changes)])]
    )
    assert lines[1] == f"NOT MET test_a.py::test_b {said}"


def test_quiet_runs_stay_quiet_unless_something_is_wrong() -> None:
    assert shown(full=False, records=RECORDS[:1], verbosity=-1) == []
    assert shown(full=False, records=RECORDS[:2], verbosity=-1) != []
    assert shown(full=False, records=RECORDS[:1])[-1] == "1 verdict: 1 met"


def test_an_empty_run_says_so_if_it_was_asked() -> None:
    assert shown(records=[])[-1] == "0 verdicts: no test measured anything"


def test_each_test_is_listed_once_with_its_tool() -> None:
    lines = shown(80)
    start = lines.index("which tool for which test:")
    block = " ".join(" ".join(lines[start:]).split())
    assert block.count("it computes under the GIL: processes") == 1
    assert max(len(line) for line in lines[start : start + 8]) <= 80


def test_tests_with_the_same_tool_stand_together_and_no_name_is_parted() -> None:
    tests = [f"test_a.py::test_number_{number}[a b]" for number in range(9)]
    lines = shown(50, records=[record.record_of(test, [outcome(advice="it waits: threads")]) for test in tests])
    start = lines.index("which tool for which test:")
    assert lines[start + 1 : start + 4] == [
        "  it waits: threads",
        "    test_number_0[a b], test_number_1[a b],",
        "    test_number_2[a b], test_number_3[a b],",
    ]
    assert lines[start + 6] == "    test_number_8[a b]"


@pytest.mark.parametrize(
    ("changes", "required"),
    [
        ({"threshold": 3.0}, ">= 3x"),
        ({"comparison": "<=", "threshold": 1.5}, "<= 1.5x"),
        ({"claim": "waiting", "arguments": {}, "threshold": 0.5, "unit": "share"}, ">= 50%"),
        ({"claim": "overlap", "arguments": {}, "threshold": 1.7}, "overlap"),
        ({"claim": "GIL", "arguments": {"gil": "released"}, "threshold": 0.5}, "GIL released"),
        (
            {"claim": "longest hold", "arguments": {}, "threshold": 0.005, "unit": "seconds", "comparison": "<="},
            "<= 5 ms",
        ),
        ({"threshold": None}, "-"),
    ],
)
def test_what_is_required_is_written_as_a_comparison(changes: dict[str, Any], required: str) -> None:
    lines = shown(200, records=[record.record_of("a", [outcome(**changes)])])
    head = next(line for line in lines if line.startswith("test "))
    row = next(line for line in lines if line.startswith("a "))
    assert row[head.index("required") : head.index("bound")].strip() == required


def test_tests_without_exclusive_host_access_are_listed_once_per_reason() -> None:
    late = {"alone": False, "waited": 30.0, "reason": "other tests did not end within 30 s"}
    quiet = {"alone": True, "waited": 0.1, "reason": ""}
    stays = [late, late, quiet, late, late, None, {**late, "reason": "this Python has no sqlite3 module"}]
    reporter = FakeReporter(80)
    records = [record.record_of(f"test_a.py::test_{n}", [outcome()], quiet_host=stay) for n, stay in enumerate(stays)]
    terminal.show(reporter, records, Layout(full=False))
    assert reporter.lines[-4:] == [
        "4 tests measured without exclusive host access (test_0, test_1, test_3, ...):",
        "  other tests did not end within 30 s",
        "1 test measured without exclusive host access (test_6): this Python has no",
        "  sqlite3 module",
    ]


def test_record_of_an_older_version_has_no_host_access() -> None:
    reporter = FakeReporter(80)
    old = record.record_of("test_a.py::test_old", [outcome()])
    del old["quiet_host"]
    terminal.show(reporter, [old], Layout(full=False))
    assert "quiet" not in "".join(reporter.lines)
