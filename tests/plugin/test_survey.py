"""``--concurrency-survey`` in sessions: what differs lasts many times what is looked for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import REPORT, Suite, assert_other_passed, assert_outcome, text_of

SURVEY = "--concurrency-survey"
GUARD = ["--concurrency-max-block=50ms", "--concurrency-max-block-warn", "-W", "default"]
TESTS = """
@pytest.fixture
def server():
    time.sleep(0.3)
    yield

def test_waits(server):
    time.sleep(0.2)

def test_computes():
    began = time.process_time()
    while time.process_time() - began < 0.2:
        pass

def test_fails():
    time.sleep(0.1)
    assert False

def test_skips():
    pytest.skip("not today")
"""
BLOCKS = """
def render():
    time.sleep(0.6)

def test_blocks():
    async def main():
        await asyncio.sleep(0.05)
        render()
    asyncio.run(main())

def test_awaits():
    asyncio.run(asyncio.sleep(0.6))
"""


def survey_of(pytester: pytest.Pytester) -> dict[str, Any]:
    return json.loads((pytester.path / "out.json").read_text())["survey"]  # type: ignore[no-any-return]


def read_in(pytester: pytest.Pytester) -> dict[str, dict[str, Any]]:
    return {test["nodeid"].partition("::")[2]: test for test in survey_of(pytester)["tests"]}


def assert_read(tests: dict[str, dict[str, Any]]) -> None:
    """Check what was read of TESTS; a busy machine makes each phase longer, and none shorter."""
    assert {name: test["outcome"] for name, test in tests.items()} == {
        "test_waits": "passed",
        "test_computes": "passed",
        "test_fails": "failed",
        "test_skips": "skipped",
        "test_other": "passed",
    }
    waits, computes = tests["test_waits"], tests["test_computes"]
    assert waits["setup"]["wall"] >= 0.3
    assert waits["call"]["wall"] >= 0.2
    assert waits["call"]["cpu"] < 0.1
    assert computes["call"]["cpu"] >= 0.19
    assert tests["test_skips"]["likely"] == ""


def test_each_test_is_read_by_phase(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(TESTS, SURVEY, REPORT)
    result.assert_outcomes(passed=3, failed=1, skipped=1)
    assert_read(read_in(pytester))
    text = text_of(result)
    assert "concurrency: survey" in text
    assert "test_suite.py::test_waits (fixtures)" in text
    assert "1 test failed" in text
    assert "test_suite.py::test_computes likely CPU-bound" in text
    assert "@pytest.mark.expect_cpu_bound" in text


def test_workers_of_xdist_read_their_tests(suite: Suite, pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    result = suite(TESTS, SURVEY, REPORT, "-p", "xdist", "-n", "2", subprocess=True)
    result.assert_outcomes(passed=3, failed=1, skipped=1)
    assert_read(read_in(pytester))
    survey = survey_of(pytester)
    assert survey["workers"] == 2
    assert survey["xdist"]["alone"] > 0.7
    assert "by 2 workers of pytest-xdist" in text_of(result)
    assert "@pytest.mark.expect_cpu_bound" in text_of(result)


@pytest.mark.parametrize("options", [[], GUARD], ids=["alone", "with the guard"])
def test_line_that_blocks_a_loop_is_named(suite: Suite, pytester: pytest.Pytester, options: list[str]) -> None:
    result = suite(BLOCKS, SURVEY, REPORT, *options)
    result.assert_outcomes(passed=3, warnings=bool(options))
    (line,) = [one for one in survey_of(pytester)["blocks"] if one["where"] and "in render" in one["where"]]
    assert line["longest"] >= 0.5
    assert "in render: time.sleep(0.6)" in text_of(result)
    assert any(block["high"] >= 0.5 for block in read_in(pytester)["test_blocks"]["blocks"])


def test_measured_tests_are_measured_and_not_surveyed(suite: Suite, pytester: pytest.Pytester) -> None:
    source = """
@pytest.mark.expect_io_bound
def test_marked():
    time.sleep(0.005)

def test_asks(request):
    assert request.getfixturevalue("concurrency").speedup(time.sleep, 0.005, threads=4) >= 2
"""
    result = suite(source, SURVEY, REPORT)
    result.assert_outcomes(passed=3)
    assert "2 verdicts: 2 met" in text_of(result)
    assert set(read_in(pytester)) == {"test_other"}
    assert survey_of(pytester)["measured_tests"] == 2
    assert "2 tests measured concurrency" in text_of(result)


def test_marked_tests_are_surveyed_where_they_run_once(suite: Suite, pytester: pytest.Pytester) -> None:
    suite("@pytest.mark.expect_io_bound\ndef test_marked():\n    pass\n", SURVEY, REPORT, "--concurrency-disable")
    assert set(read_in(pytester)) == {"test_marked", "test_other"}


def test_marker_is_suggested_for_what_can_have_one_only(suite: Suite) -> None:
    waits = "time.sleep(0.03)\n"
    text = text_of(
        suite(
            f"class TestOld(unittest.TestCase):\n    def test_old(self):\n        {waits}\n"
            f"class TestNew:\n    def test_new(self):\n        {waits}\n"
            f"def test_plain():\n    {waits}",
            SURVEY,
        )
    )
    assert "TestNew::test_new likely" in text
    assert "test_plain likely" in text
    assert "test_old likely" not in text


def test_ini_key(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nconcurrency_survey = true\n")
    assert "concurrency: survey" in text_of(suite(""))


def test_collecting_only_surveys_nothing(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(TESTS, SURVEY, REPORT, "--co")
    assert "concurrency: survey" not in text_of(result)
    assert not (pytester.path / "out.json").exists()


def test_survey_of_no_tests_says_so(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite("", SURVEY, REPORT, other=False)
    assert "There was nothing to survey: no test ran." in text_of(result)
    assert survey_of(pytester)["tests"] == []


def test_collection_error_leaves_the_survey_empty(suite: Suite) -> None:
    text = text_of(suite("import nowhere\n", SURVEY))
    assert "There was nothing to survey" in text
    assert "INTERNALERROR" not in text


def test_session_that_is_stopped_has_what_was_read(suite: Suite) -> None:
    text = text_of(suite("def test_first():\n    pass\n\ndef test_stops():\n    pytest.exit('enough')\n", SURVEY))
    assert "1 test in " in text
    assert "processes that another plugin made" not in text
    assert "INTERNALERROR" not in text


def test_loops_are_as_they_were_afterwards(suite: Suite) -> None:
    import asyncio

    before = asyncio.base_events.BaseEventLoop.run_forever
    suite(BLOCKS.replace("0.6", "0.01"), SURVEY)
    assert asyncio.base_events.BaseEventLoop.run_forever is before


def test_only_the_last_run_of_a_test_counts(suite: Suite, pytester: pytest.Pytester) -> None:
    pytest.importorskip("pytest_rerunfailures")
    source = "RUNS = []\ndef test_flaky():\n    RUNS.append(1)\n    assert len(RUNS) == 2\n"
    result = suite(source, SURVEY, REPORT, "-p", "pytest_rerunfailures", "--reruns", "1")
    assert_outcome(result, "test_flaky", "PASSED")
    assert_other_passed(result)
    assert read_in(pytester)["test_flaky"]["outcome"] == "passed"


def test_survey_is_in_files_for_people(suite: Suite, pytester: pytest.Pytester) -> None:
    pytest.importorskip("matplotlib")
    suite(TESTS, SURVEY, "--concurrency-report=html:out.html", "--concurrency-report=markdown:out.md")
    for name in ("out.html", "out.md"):
        text = (pytester.path / name).read_text(encoding="utf-8")
        assert "test_suite.py::test_waits (fixtures)" in text, name
        assert "@pytest.mark.expect_cpu_bound" in text, name
        assert "pytest-xdist would bring" in text, name


def test_saved_run_has_no_survey(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(
        "@pytest.mark.expect_io_bound\ndef test_marked():\n    time.sleep(0.005)\n", SURVEY, "--concurrency-save=main"
    )
    assert "survey" not in json.loads((pytester.path / ".concurrency" / "main.json").read_text())
