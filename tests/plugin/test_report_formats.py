"""Report files as a user asks for them: markdown, html, formats of one's own, and what can go wrong."""

from __future__ import annotations

import csv
import json
import re
import sys
from pathlib import Path

import pytest
from conftest import ALONE, LOCKED, Suite, assert_other_passed, text_of

from pytest_concurrency.reports import formats

TWO = """
LOCK = threading.Lock()

@pytest.mark.expect_io_bound
def test_met():
    time.sleep(0.004)

def test_asked(concurrency):
    def work():
        with LOCK:
            time.sleep(0.004)
    assert concurrency.speedup(work, threads=4) >= 3
"""
MET = "@pytest.mark.expect_io_bound\ndef test_met():\n    time.sleep(0.004)\n"
COUNTED = 'def test_body():\n    pathlib.Path("ran.txt").touch()\n'


def test_every_file_format_is_found_and_offered(suite: Suite) -> None:
    assert formats.names() == ("benchmark-action", "bmf", "csv", "html", "json", "jsonl", "markdown")
    text = text_of(suite("", "--help"))
    assert all(f"{name}:PATH" in text for name in formats.names())
    said = text_of(suite("", "--concurrency-report=pdf:x"))
    assert f"write {', '.join(f'{name}:PATH' for name in formats.names())}, or nothing" in said


def test_all_formats_of_one_run(suite: Suite, pytester: pytest.Pytester) -> None:
    pytest.importorskip("matplotlib")
    files = [f"--concurrency-report={name}:out/report.{name}" for name in formats.names()]
    suite(TWO, *files)
    folder = pytester.path / "out"
    assert sorted(path.name for path in folder.iterdir()) == [f"report.{name}" for name in formats.names()]
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8")
        assert "test_met" in text
        assert "test_asked" in text
        if path.suffix != ".bmf":  # that has numbers only
            assert "emove or narrow the lock" in " ".join(text.replace("\\n ", "").split())
    assert list(json.loads((folder / "report.json").read_text())) == ["schema", "environment", "records"]


def test_the_page_shows_saved_runs_as_history(suite: Suite, pytester: pytest.Pytester) -> None:
    pytest.importorskip("matplotlib")
    suite(MET, "--concurrency-save")
    suite(MET, "--concurrency-save", "--concurrency-report=html:out.html")
    text = (pytester.path / "out.html").read_text(encoding="utf-8")
    assert "this run after 1 earlier run" in text
    assert 'aria-label="The figure over the runs' in text


def test_a_damaged_saved_run_is_no_part_of_the_history(suite: Suite, pytester: pytest.Pytester) -> None:
    pytest.importorskip("matplotlib")
    (pytester.path / ".concurrency").mkdir()
    (pytester.path / ".concurrency" / "bad.json").write_text("{")
    result = suite(MET, "--concurrency-report=html:out.html")
    assert result.ret == pytest.ExitCode.OK
    assert "over the runs" not in (pytester.path / "out.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("where", ["line", "ini"])
def test_without_the_extra_nothing_is_run(
    suite: Suite, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    if where == "ini":
        pytester.makeini("[pytest]\nconcurrency_report = html:out.html\n")
    result = suite(COUNTED, *([] if where == "ini" else ["--concurrency-report=html:out.html"]))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = text_of(result)
    assert "--concurrency-report=html:out.html cannot be made: " in text
    assert "matplotlib" in text
    assert 'pip install "pytest-concurrency-perf[html]"' in text
    assert "Traceback" not in text
    assert not (pytester.path / "ran.txt").exists()


def test_the_summary_of_a_job_is_added_to(
    suite: Suite, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pytester.path / "summary").write_text("# Earlier in this step\n\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "summary"))
    suite(MET, "--concurrency-report=markdown:summary", "--concurrency-report=markdown:other.md")
    text = (pytester.path / "summary").read_text(encoding="utf-8")
    assert text.startswith("# Earlier in this step\n\n## ✅ Concurrency: 1 verdict: 1 met\n")
    (pytester.path / "other.md").write_text("old")
    suite(MET, "--concurrency-report=markdown:other.md")
    assert (pytester.path / "other.md").read_text(encoding="utf-8").startswith("## ✅")


def test_a_report_that_fails_in_the_end_costs_no_other_and_no_verdict(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import os
        import pytest
        @pytest.hookimpl(tryfirst=True)
        def pytest_sessionfinish():
            os.mkdir("late.md")  # what was a good place before the tests is none any more
        """
    )
    result = suite(MET, "--concurrency-report=markdown:late.md", "--concurrency-report=json:out.json")
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = text_of(result)
    assert "markdown:late.md could not be written: IsADirectoryError" in text
    assert "INTERNALERROR" not in text
    assert "1 verdict: 1 met" in text
    assert len(json.loads((pytester.path / "out.json").read_text())["records"]) == 1


# -- the terminal's table


def heads_and_rows(result: pytest.RunResult) -> list[str]:
    lines = result.stdout.lines
    start = next(number for number, line in enumerate(lines) if re.fullmatch("=+ concurrency =+", line)) + 2
    return lines[start : start + 3]


@pytest.mark.parametrize("where", ["line", "ini"])
def test_columns_and_order_can_be_chosen(suite: Suite, pytester: pytest.Pytester, where: str) -> None:
    if where == "ini":
        pytester.makeini("[pytest]\nconcurrency_columns = cpu, verdict, test\nconcurrency_sort = verdict\n")
        result = suite(TWO, "--concurrency-report")
    else:
        result = suite(
            TWO, "--concurrency-columns=cpu,verdict,test", "--concurrency-sort=verdict", "--concurrency-report"
        )
    head, first, second = heads_and_rows(result)
    assert head.split() == ["cpu", "verdict", "test"]
    assert re.fullmatch(r" *\d+%  not met  test_suite\.py::test_asked", first)
    assert re.fullmatch(r" *\d+%  met      test_suite\.py::test_met", second)


@pytest.mark.parametrize(("option", "value"), [("columns", "test,speed"), ("sort", "speed")])
@pytest.mark.parametrize("where", ["line", "ini"])
def test_an_unknown_column_is_a_usage_error_with_the_valid_ones(
    suite: Suite, pytester: pytest.Pytester, option: str, value: str, where: str
) -> None:
    if where == "ini":
        pytester.makeini(f"[pytest]\nconcurrency_{option} = {value}\n")
        result, named = suite(COUNTED), f"ini key concurrency_{option}={value}"
    else:
        result, named = suite(COUNTED, f"--concurrency-{option}={value}"), f"--concurrency-{option}={value}"
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = text_of(result)
    assert f"ERROR: {named}: there is no column 'speed'" in text
    assert "test, verdict, expects, marker, figure," in text
    assert not (pytester.path / "ran.txt").exists()


@pytest.mark.parametrize("options", [[], ["--concurrency-report"]], ids=["plain", "table"])
def test_a_not_met_comparison_repeats_what_to_try(suite: Suite, options: list[str]) -> None:
    lines = suite(TWO, *options).stdout.lines
    start = next(number for number, line in enumerate(lines) if re.fullmatch("=+ concurrency =+", line))
    not_met = next(number for number, line in enumerate(lines) if line.startswith("NOT MET test_suite.py::test_asked"))
    assert not_met > start
    below = lines[not_met + 1 : not_met + 6]
    assert any(line.startswith("  Try:   remove or narrow the lock") for line in below)


def test_a_not_met_marker_is_not_reported_twice(suite: Suite) -> None:
    result = suite(LOCKED)
    assert text_of(result).count("Try: ") == 1
    assert_other_passed(result)


# -- formats of one's own


def test_the_documented_report_sees_the_whole_run_under_xdist(suite: Suite, pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    page = (Path(__file__).parents[2] / "docs" / "reference" / "hooks.md").read_text(encoding="utf-8")
    example = re.search(r"```python conftest\.py\n(.*?)```", page, re.DOTALL)
    assert example
    pytester.makeconftest(example[1])
    tests = "".join(MET.replace("test_met", f"test_{name}") for name in ("search", "basket", "pay", "ship"))
    pytester.makepyfile(test_suite="import time, pytest\n" + tests)
    result = pytester.runpytest_subprocess(*ALONE, "-p", "xdist", "-n", "2", "--concurrency-report=json:out.json")
    result.assert_outcomes(passed=4)
    with open(pytester.path / "verdicts.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["test"].rpartition("_")[2]: row["team"] for row in rows} == {
        "search": "search",
        "basket": "shop",
        "pay": "shop",
        "ship": "shop",
    }
    assert all(row["verdict"] == "met" and 0.5 < float(row["figure"]) <= 1 for row in rows)
    assert len(json.loads((pytester.path / "out.json").read_text())["records"]) == 4


@pytest.mark.parametrize("second", ["out", "./out", "link"])
def test_two_formats_of_one_path_are_refused_before_the_run(
    suite: Suite, pytester: pytest.Pytester, second: str
) -> None:
    (pytester.path / "link").symlink_to(pytester.path / "out")
    result = suite(MET, "--concurrency-report=json:out", f"--concurrency-report=markdown:{second}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"ERROR: *=json:out and *=markdown:{second} name the same file, and one would be lost*"]
    )
