"""Under pytest-xdist: records ride on the reports, and one process tells them all."""

from __future__ import annotations

import json
import re

import pytest
from conftest import Suite, text_of

pytest.importorskip("xdist")

TWO = ("-p", "xdist", "-n", "2")
FOUR = """
LOCK = threading.Lock()

@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.expect_io_bound
def test_met(n):
    time.sleep(0.004)

@pytest.mark.expect_speedup(threads=4, at_least=3)
def test_broken():
    with LOCK:
        time.sleep(0.004)

def test_asking(concurrency):
    assert concurrency.speedup(time.sleep, 0.004, processes=2, undecided="pass") >= 1.2
"""


def test_table_and_file_are_complete(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(FOUR, *TWO, "--concurrency-report=json:out.json", subprocess=True)
    result.assert_outcomes(passed=4, failed=1)
    text = text_of(result)
    assert "expect_speedup(threads=4, at_least=3) is not met" in text
    assert "4 verdicts: 3 met, 1 not met" in text
    assert text.count("4 verdicts") == 1
    run = json.loads((pytester.path / "out.json").read_text())
    assert {record["nodeid"]: record["expectations"][0]["verdict"] for record in run["records"]} == {
        "test_suite.py::test_met[1]": "met",
        "test_suite.py::test_met[2]": "met",
        "test_suite.py::test_broken": "not_met",
        "test_suite.py::test_asking": "met",
    }
    for name in ("test_met[1]", "test_met[2]", "test_broken", "test_asking"):
        result.stdout.re_match_lines_random(
            [rf"test_suite\.py::{re.escape(name)} +(met|not met) +(io_bound|speedup) +\d.*"]
        )


def test_options_reach_the_workers(suite: Suite) -> None:
    result = suite(FOUR, *TWO, "--concurrency-max-time=1us", "--concurrency-undecided=fail", subprocess=True)
    text = text_of(result)
    assert "UNDECIDED test_suite.py::test_broken" in text
    assert "o verdict within 1 us (max_time)" in text


def test_a_bad_marker_is_reported_once_at_its_test(suite: Suite) -> None:
    result = suite("@pytest.mark.expect_speedup(at_least=3)\ndef test_bad():\n    pass\n", *TWO, subprocess=True)
    result.assert_outcomes(errors=1, passed=1)
    assert "expect_speedup needs to know where the workers run" in text_of(result)
    assert "in test_suite.py::test_bad" in text_of(result)


def test_a_usage_error_is_reported_before_workers_start(suite: Suite, pytester: pytest.Pytester) -> None:
    (pytester.path / "plain").touch()
    result = suite(FOUR, *TWO, "--concurrency-report=json:plain/out.json", subprocess=True)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "json:plain/out.json cannot be written" in text_of(result)
    assert "gw0" not in text_of(result)


def test_a_worker_that_crashes_later_loses_no_record(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(
        """
@pytest.mark.expect_io_bound
def test_met():
    time.sleep(0.004)

def test_crash():
    os._exit(3)
""",
        "-p",
        "xdist",
        "-n",
        "1",
        "--concurrency-report=json:out.json",
        subprocess=True,
    )
    assert "1 verdict: 1 met" in text_of(result)
    (record,) = json.loads((pytester.path / "out.json").read_text())["records"]
    assert record["nodeid"] == "test_suite.py::test_met"
