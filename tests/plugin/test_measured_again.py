"""``undecided="retry"``: an undecided test is measured again at the end of the session, and has one outcome."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from conftest import REPORT, Suite, assert_outcome, records_of, text_of

# Two rounds are always tried, and two are never enough: sure to be undecided, and quick.
NO_TIME = 'max_time="1us", undecided="retry"'
UNDECIDED = f"""
@pytest.mark.expect_speedup(threads=2, at_least=1.2, {NO_TIME})
def test_undecided():
    time.sleep(0.002)
"""
# A call that has no time in the first run only.
CALL = """
RUNS = []

def test_call(concurrency):
    RUNS.append(len(RUNS) + 1)
    print("this is run", len(RUNS))
    most = "1us" if len(RUNS) == 1 else "10s"
    assert concurrency.speedup(time.sleep, 0.004, threads=4, max_time=most, undecided="retry") {}
"""
JUNIT = "--junitxml=junit.xml"


def test_marked_test_that_is_met_the_second_time_passes(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(
        """
@pytest.fixture
def more_time(request):
    yield
    request.node.get_closest_marker("expect_speedup").kwargs["max_time"] = "10s"

@pytest.mark.expect_speedup(threads=4, at_least=2, max_time="1us")
def test_body(more_time):
    time.sleep(0.004)
""",
        "--concurrency-undecided=retry",
        REPORT,
        JUNIT,
    )
    result.assert_outcomes(passed=2)
    text = text_of(result)
    assert "test_body undecided, measured again at the end ..." in text
    assert "1 undecided test measured again at the end of the session (test_body): now 1 met" in text
    record = records_of(pytester)["test_body"]
    assert [expectation["verdict"] for expectation in record["expectations"]] == ["met"]
    assert record["first_attempt"]["seconds"] > 0
    assert record["first_attempt"]["reason"].startswith("no verdict within 1 us")
    cases = ElementTree.parse(pytester.path / "junit.xml").getroot().findall(".//testcase")
    assert sorted((case.get("name", ""), len(case)) for case in cases) == [("test_body", 1), ("test_other", 0)]


def test_a_test_that_catches_two_skips_is_measured_again_once(suite: Suite) -> None:
    source = """
RUNS = []

def test_call(concurrency):
    RUNS.append(len(RUNS) + 1)
    for _ in range(2):
        try:
            assert concurrency.speedup(time.sleep, 0.004, threads=4, max_time="1us", undecided="retry") >= 2
        except BaseException as error:
            print(type(error).__name__)
    assert len(RUNS) <= 2
"""
    result = suite(source, "-s")
    result.assert_outcomes(passed=2)
    assert "INTERNALERROR" not in text_of(result)


def test_test_that_is_not_met_the_second_time_fails_and_says_that_it_was_measured_again(suite: Suite) -> None:
    result = suite(CALL.format("<= 1.2"))
    result.assert_outcomes(failed=1, passed=1)
    text = text_of(result)
    assert "measured again at the end of the session: undecided after" in text
    assert "this is run 2" in text
    assert "this is run 1" not in text


def test_whole_test_of_a_fixture_call_runs_again(suite: Suite) -> None:
    result = suite(CALL.format(">= 2") + "\ndef test_runs():\n    assert RUNS == [1]\n", "-rs")
    result.assert_outcomes(passed=3)
    assert "SKIPPED" not in text_of(result)


def test_test_that_is_undecided_again_is_skipped_and_says_so(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nconcurrency_undecided = retry\n")
    result = suite(UNDECIDED.replace(', undecided="retry"', ""), "-rs", REPORT)
    result.assert_outcomes(skipped=1, passed=1)
    assert "undecided: measured again at the end of the session: no verdict within 1 us" in text_of(result)
    assert list(records_of(pytester)) == ["test_undecided"]


@pytest.mark.parametrize("source", [UNDECIDED, CALL.format(">= 2")], ids=["marker", "call"])
def test_only_test_of_a_session_is_measured_again(suite: Suite, source: str) -> None:
    result = suite(source, other=False)
    result.assert_outcomes(**({"skipped": 1} if source == UNDECIDED else {"passed": 1}))
    assert "1 undecided test measured again" in text_of(result)


def test_fixtures_are_new_for_the_second_run_but_for_those_of_the_session(
    suite: Suite, pytester: pytest.Pytester
) -> None:
    result = suite(
        f"""
def logged(scope):
    @pytest.fixture(scope=scope)
    def fixture():
        with open("log.txt", "a") as file:
            print("+" + scope, file=file)
        yield
        with open("log.txt", "a") as file:
            print("-" + scope, file=file)
    return fixture

session, module, cls, function = map(logged, ("session", "module", "class", "function"))

class TestAll:
    @pytest.mark.expect_speedup(threads=2, at_least=1.2, {NO_TIME})
    def test_undecided(self, session, module, cls, function):
        time.sleep(0.002)
""",
        other=False,
    )
    result.assert_outcomes(skipped=1)
    once = ["+module", "+class", "+function", "-function", "-class", "-module"]
    assert (pytester.path / "log.txt").read_text().split() == ["+session", *once, *once, "-session"]


def test_interrupted_session_reports_what_was_held_back(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(
        UNDECIDED + "\ndef test_stopped():\n    raise KeyboardInterrupt\n", "-rs", REPORT, JUNIT, subprocess=True
    )
    text = text_of(result)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "undecided, and the session ended before it was measured again: no verdict within 1 us" in text
    assert "first_attempt" not in records_of(pytester)["test_undecided"]
    assert "1 skipped" in text


def test_session_that_stops_at_a_failure_reports_what_was_held_back(suite: Suite) -> None:
    result = suite(UNDECIDED + "\ndef test_fails():\n    assert False\n", "-x")
    result.assert_outcomes(skipped=1, failed=1)
    assert "measured again at the end of the session (" not in text_of(result)


def test_second_run_that_fails_stops_the_others(suite: Suite) -> None:
    result = suite(CALL.format("<= 1.2") + UNDECIDED, "-x")
    result.assert_outcomes(failed=1, skipped=1, passed=1)
    assert "the session ended before it was measured again" in text_of(result)
    assert "stopping after 1 failures" in text_of(result)


def test_interrupted_second_run_reports_what_was_held_back(suite: Suite) -> None:
    source = CALL.format(">= 2").replace(
        "    most =", "    if len(RUNS) == 2:\n        raise KeyboardInterrupt\n    most ="
    )
    result = suite(source, subprocess=True)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "1 passed, 1 skipped" in text_of(result)


def test_test_whose_teardown_fails_is_not_measured_again(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(
        UNDECIDED.replace("test_undecided()", "test_undecided(broken)")
        + "\n@pytest.fixture\ndef broken():\n    yield\n    raise OSError('cannot remove it')\n",
    )
    result.assert_outcomes(skipped=1, errors=1, passed=1)
    assert "cannot remove it" in text_of(result)


def test_nothing_is_registered_before_a_test_is_to_be_measured_again(suite: Suite) -> None:
    names = "[name for name, _ in pytestconfig.pluginmanager.list_name_plugin()]"
    kept = "concurrency_perf_measured_again"
    result = suite(
        f"def test_before(pytestconfig):\n    assert {kept!r} not in {names}\n{UNDECIDED}\n"
        f"def test_after(pytestconfig):\n    assert {kept!r} in {names}\n"
    )
    result.assert_outcomes(passed=3, skipped=1)


def test_policies_of_other_markers_come_first(suite: Suite) -> None:
    other = '@pytest.mark.expect_speedup(threads=2, at_least=1.5, max_time="1us", undecided="fail")\n'
    result = suite(UNDECIDED.replace("\ndef", f"\n{other}def"))
    result.assert_outcomes(failed=1, passed=1)
    assert_outcome(result, "test_undecided", "FAILED")


def test_workers_of_xdist_measure_their_own_tests_again(suite: Suite, pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    more = UNDECIDED.replace("test_undecided", "test_again")
    options = ("-p", "xdist", "-n", "2", "--dist=worksteal", REPORT, JUNIT)
    result = suite(CALL.format(">= 2") + more, *options, subprocess=True)
    result.assert_outcomes(passed=2, skipped=1)
    assert "2 undecided tests measured again" in text_of(result)
    found = records_of(pytester)
    assert {name: record["expectations"][0]["verdict"] for name, record in found.items()} == {
        "test_call": "met",
        "test_again": "undecided",
    }
    cases = ElementTree.parse(pytester.path / "junit.xml").getroot().findall(".//testcase")
    assert sorted(case.get("name", "") for case in cases) == ["test_again", "test_call", "test_other"]


def test_worker_of_xdist_that_dies_in_a_second_run_loses_no_outcome(suite: Suite) -> None:
    pytest.importorskip("xdist")
    source = CALL.format(">= 2").replace("    most =", "    if len(RUNS) == 2:\n        os._exit(3)\n    most =")
    result = suite(source, "-p", "xdist", "-n", "1", "-rs", subprocess=True)
    text = text_of(result)
    assert "undecided, and the session ended before it was measured again" in text
    assert "1 passed, 1 skipped" in text
