"""A hook of someone else's that fails costs what it was to add, and nothing that was measured."""

from __future__ import annotations

import pytest
from conftest import REPORT, Suite, assert_outcome, records, rerun, text_of

BODIES = """
@pytest.mark.expect_io_bound
def test_body():
    time.sleep(0.01)

def test_plain():
    assert not "important"
"""
RAISES = 'raise KeyError("mistake")'


@pytest.mark.parametrize("hook", ["report", "update_environment", "update_record"])
def test_one_that_raises_is_named_and_everything_else_is_there(
    suite: Suite, pytester: pytest.Pytester, hook: str
) -> None:
    second = {"report": "run", "update_environment": "environment", "update_record": "record"}[hook]
    pytester.makeconftest(f"def pytest_concurrency_{hook}(config, {second}):\n    {RAISES}\n")
    result = suite(BODIES, REPORT)
    assert result.ret == 1
    assert_outcome(result, "test_plain", "FAILED")
    assert_outcome(result, "test_body", "FAILED" if hook == "update_record" else "PASSED")
    said = text_of(result)
    assert "important" in said
    assert "1 verdict: 1 met" in said
    assert f"The hook pytest_concurrency_{hook} raised KeyError: 'mistake'" in said
    assert f"conftest.py:2 in pytest_concurrency_{hook}: {RAISES}" in said
    (record,) = records(pytester)
    assert record["expectations"][0]["verdict"] == "met"


def test_a_report_hook_that_raises_turns_a_green_session_red(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(f"def pytest_concurrency_report(config, run):\n    {RAISES}\n")
    result = suite("@pytest.mark.expect_io_bound\ndef test_body():\n    time.sleep(0.01)\n")
    result.assert_outcomes(passed=2)
    assert result.ret == 1


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ("record.clear()", "nodeid"),
        ('del record["expectations"][0]["marker"]', "expectations[0].marker"),
        ('record["expectations"] = None', "expectations"),
    ],
)
def test_hook_that_removes_names_is_ignored(suite: Suite, pytester: pytest.Pytester, change: str, lost: str) -> None:
    pytester.makeconftest(f"def pytest_concurrency_update_record(config, record):\n    {change}\n")
    result = suite(BODIES, REPORT, "--junitxml=junit.xml")
    assert_outcome(result, "test_body", "FAILED")
    assert f"The hook pytest_concurrency_update_record has removed {lost}, which reports need." in text_of(result)
    (record,) = records(pytester)
    assert record["expectations"][0]["marker"] == "expect_io_bound"
    assert "concurrency_expect_io_bound_verdict" in (pytester.path / "junit.xml").read_text()


def test_in_a_worker_of_xdist_too(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(f"def pytest_concurrency_update_record(config, record):\n    {RAISES}\n")
    result = suite(BODIES, "-p", "xdist", "-n", "1", REPORT, subprocess=True)
    result.assert_outcomes(failed=2, passed=1)
    assert "The hook pytest_concurrency_update_record raised KeyError: 'mistake'" in text_of(result)


CONFTEST = """
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

def pytest_concurrency_backends(config):
    return {{"app": lambda workers: {pool}(workers)}}

def pytest_concurrency_update_record(config, record):
    record["team"] = record.get("team", "") + "{team}"
"""
LOCKED = """
import threading, time
import pytest

LOCK = threading.Lock()

@pytest.mark.expect_speedup(executor="app", workers=4, at_least=2)
def test_{team}():
    with LOCK:
        time.sleep(0.01)

def locked():
    with LOCK:
        time.sleep(0.01)

def test_fixture_{team}(concurrency):
    assert {sign}concurrency.speedup(locked, executor="app", workers=4) >= 2
"""


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")], ids="-".join)
def test_a_conftest_of_another_folder_takes_no_part(pytester: pytest.Pytester, order: tuple[str, str]) -> None:
    for team, pool, sign in (("a", "ThreadPoolExecutor", "not "), ("b", "ProcessPoolExecutor", "")):
        folder = pytester.mkpydir(team)
        (folder / "conftest.py").write_text(CONFTEST.format(pool=pool, team=team))
        (folder / f"test_{team}.py").write_text(LOCKED.format(team=team, sign=sign))
    result = rerun(pytester, *order, REPORT)
    assert_outcome(result, "test_a", "FAILED")
    assert_outcome(result, "test_b", "PASSED")
    result.assert_outcomes(passed=3, failed=1)
    assert {(record["nodeid"].rpartition("_")[2], record["team"]) for record in records(pytester)} == {
        ("a", "a"),
        ("b", "b"),
    }


def test_the_nearest_conftest_wins_where_two_name_the_same_backend(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST.format(pool="ThreadPoolExecutor", team="root"))
    folder = pytester.mkpydir("nested")
    (folder / "conftest.py").write_text(CONFTEST.format(pool="ProcessPoolExecutor", team="nested"))
    (folder / "test_it.py").write_text(LOCKED.format(team="nested", sign=""))
    result = rerun(pytester, REPORT)
    assert_outcome(result, "test_nested", "PASSED")
    result.assert_outcomes(passed=2)
    # Both are about the test: the root's conftest.py changes the record last, as pluggy calls them.
    assert {record["team"] for record in records(pytester)} == {"nestedroot"}
