"""A suite that measures nothing: none of its tests calls a hook of this plugin."""

from __future__ import annotations

import importlib.util

import pytest
from conftest import Suite, records, text_of

OWN_HOOKS = """
import pytest

PER_TEST = ("protocol", "logstart", "setup", "call", "teardown", "makereport", "logreport", "logfinish")

def own(config, *hooks):
    plugins = [(hook, one.plugin_name) for hook in hooks for one in getattr(config.hook, hook).get_hookimpls()]
    return sorted(hook for hook, name in plugins if name.startswith("concurrency_perf"))

@pytest.fixture
def own_hooks(pytestconfig):
    names = [f"pytest_runtest_{name}" for name in PER_TEST]
    others = ["pytest_pyfunc_call", "pytest_assertrepr_compare", "pytest_assertion_pass", "pytest_fixture_setup"]
    more = ["pytest_fixture_post_finalizer", "pytest_report_teststatus", "pytest_warning_recorded"]
    return lambda: own(pytestconfig, *names, *others, *more)
"""
MEASURED = """
@pytest.mark.expect_io_bound
def test_measured():
    time.sleep(0.005)
"""
PLAIN = "def test_plain(own_hooks):\n    assert own_hooks() == []\n"


@pytest.fixture(autouse=True)
def own_hooks(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(OWN_HOOKS)


def test_no_hook_runs_for_each_test_of_a_suite_that_measures_nothing(suite: Suite) -> None:
    suite(PLAIN, "-p", "concurrency_perf").assert_outcomes(passed=2)


@pytest.mark.parametrize("option", ["--concurrency-skip", "-k=plain", "--concurrency-report"])
def test_no_hook_runs_for_each_test_where_measured_tests_are_left_out(suite: Suite, option: str) -> None:
    source = PLAIN + (MEASURED if option != "--concurrency-report" else "")
    suite(source, option, other=False).assert_outcomes(passed=1, deselected=0 if "report" in option else 1)


@pytest.mark.skipif(not importlib.util.find_spec("xdist"), reason="needs pytest-xdist")
def test_no_hook_runs_for_each_test_in_workers_of_xdist_that_measure_nothing(suite: Suite) -> None:
    suite(PLAIN, "-p", "xdist", "-n", "1", subprocess=True).assert_outcomes(passed=2)


def test_hooks_are_there_where_one_test_measures(suite: Suite) -> None:
    source = "def test_plain(own_hooks):\n    assert 'pytest_runtest_makereport' in own_hooks()\n"
    suite(source + MEASURED).assert_outcomes(passed=3)


@pytest.mark.parametrize("mark", ["function", "class", "module", "base class"])
def test_marker_is_seen_wherever_it_is(suite: Suite, mark: str) -> None:
    source = {
        "function": MEASURED,
        "class": "@pytest.mark.expect_io_bound\nclass TestAll:\n"
        "    def test_measured(self):\n        time.sleep(0.005)\n",
        "module": "pytestmark = pytest.mark.expect_io_bound\ndef test_measured():\n    time.sleep(0.005)\n",
        "base class": "@pytest.mark.expect_io_bound\nclass Base:\n    def test_measured(self):\n"
        "        time.sleep(0.005)\nclass TestAll(Base):\n    pass\n",
    }[mark]
    result = suite(source, "-m", "expect_io_bound", other=False)
    result.assert_outcomes(passed=1)
    assert "1 verdict: 1 met" in text_of(result)


def test_a_fixture_that_is_asked_for_by_name_while_the_test_runs(suite: Suite, pytester: pytest.Pytester) -> None:
    source = """
def test_plain(own_hooks):
    assert own_hooks() == []

def test_measured(request):
    concurrency = request.getfixturevalue("concurrency")
    assert concurrency.speedup(time.sleep, 0.005, threads=4) >= 2
"""
    result = suite(source, "--concurrency-report=json:out.json")
    result.assert_outcomes(passed=3)
    assert "1 verdict: 1 met" in text_of(result)
    (record,) = records(pytester)
    assert record["quiet_host"]["alone"]
