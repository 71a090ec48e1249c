"""What is written wrongly costs one test, and says what, where and what to do instead."""

from __future__ import annotations

import pytest
from conftest import Suite, assert_other_passed, assert_outcome, rerun, text_of

SPEEDUP_KEYWORDS = "Its keywords: at_least, at_most, sustained, threads,"
COMMON_KEYWORDS = "margin, max_time, undecided"

# A marker's keywords, what kind of body it is on, and what the user must read.
BAD_MARKERS = {
    "unknown keyword": (
        "expect_speedup(threads=4, at_leest=3)",
        ["expect_speedup has no keyword 'at_leest'", "Did you mean 'at_least'?", SPEEDUP_KEYWORDS, COMMON_KEYWORDS],
    ),
    "unknown keyword, nothing near": (
        "expect_io_bound(colour='red')",
        ["expect_io_bound has no keyword 'colour'", "Its keywords: min_wait, threads", COMMON_KEYWORDS],
    ),
    "positional": (
        "expect_speedup(4, 3)",
        [
            "expect_speedup takes keywords only, not 4, 3. Write, for example,",
            "expect_speedup(threads=4, at_least=3)",
            SPEEDUP_KEYWORDS,
        ],
    ),
    "executor by its class's name": (
        "expect_speedup(executor='ProcessPoolExecutor', workers=2, at_least=1.5)",
        ["there is no backend of that name", "Write processes=4", "executor=ProcessPoolExecutor"],
    ),
    "at_least text": ("expect_speedup(threads=4, at_least='3')", ["at_least='3'", "must be a number above 0"]),
    "at_least nan": ("expect_speedup(threads=4, at_least=float('nan'))", ["at_least=nan", "must be a number above 0"]),
    "at_least bool": ("expect_speedup(threads=4, at_least=True)", ["at_least=True", "must be a number above 0"]),
    "at_most zero": ("expect_speedup(threads=4, at_most=0)", ["at_most=0", "must be a number above 0"]),
    "workers float": ("expect_speedup(threads=2.5, at_least=2)", ["threads=2.5", "whole number of workers", '"auto"']),
    "workers text": ("expect_io_bound(threads='many')", ["threads='many'", "whole number of workers", '"auto"']),
    "workers bool": ("expect_io_bound(threads=True)", ["threads=True", "whole number of workers"]),
    "min_wait too big": ("expect_io_bound(min_wait=50)", ["min_wait=50", "must be a share above 0 and at most 1"]),
    "min_cpu list": ("expect_cpu_bound(min_cpu=[0.5])", ["min_cpu=[0.5]", "must be a share above 0"]),
    "gil word": ("expect_cpu_bound(gil='maybe')", ["gil='maybe'", "must be one of 'held', 'released'"]),
    "margin none": ("expect_io_bound(margin=None)", ["margin=None", "must be between 0.05 and 2"]),
    "efficiency none": ("expect_scaling(efficiency=None)", ["efficiency=None", "must be a share above 0"]),
    "margin percent": (
        "expect_io_bound(margin=25)",
        ["margin=25", "must be between 0.05 and 2", "0.25 stands for 25%"],
    ),
    "max_time words": ("expect_io_bound(max_time='soon')", ["max_time='soon'", "must be a duration", '"50ms"']),
    "max_time negative": ("expect_io_bound(max_time=-1)", ["max_time=-1", "must be a duration"]),
    "undecided word": ("expect_io_bound(undecided='rerun')", ["undecided='rerun'", "'skip', 'fail', 'pass'"]),
    "no backend": (
        "expect_speedup(at_least=3)",
        ["expect_speedup needs to know where the workers run", "one of threads=N, processes=N, tasks=N"],
    ),
    "two backends": (
        "expect_speedup(threads=4, processes=4, at_least=3)",
        ["has threads and processes", "Stack two expect_speedup markers to measure both"],
    ),
    "no threshold": ("expect_speedup(threads=4)", ["has no threshold", "add at_least= or at_most="]),
    "at_least above workers": (
        "expect_speedup(threads=4, at_least=5)",
        ["expect_speedup(threads=4, at_least=5) can never be met", "Lower at_least or raise threads"],
    ),
    "at_least above at_most": (
        "expect_speedup(threads=4, at_least=3, at_most=2)",
        ["at_least=3 lies above at_most=2"],
    ),
    "threads zero": ("expect_speedup(threads=0, at_least=1)", ["threads=0", "between 1 and 512"]),
    "threads negative": ("expect_speedup(threads=-4, at_least=1)", ["threads=-4", "between 1 and 512"]),
    "threads huge": ("expect_speedup(threads=10**9, at_least=1)", ["threads=1000000000", "between 1 and 512"]),
    "processes zero": ("expect_speedup(processes=0, at_least=1)", ["processes=0", "between 1 and 64"]),
    "processes huge": ("expect_speedup(processes=5000, at_least=1)", ["processes=5000", "between 1 and 64"]),
    "tasks huge": ("expect_speedup(tasks=10**7, at_least=1)", ["tasks=10000000", "between 1 and 10000"]),
    "one thread cannot overlap": ("expect_io_bound(threads=1)", ["nothing to overlap with", "Write 2 or more"]),
    "hold without a unit": ("expect_gil_released(max_hold=5)", ["max_hold needs a unit", "'5ms', or '5s'"]),
    "hold as text without a unit": ("expect_gil_released(max_hold='5')", ["max_hold needs a unit", "'5ms', or '5s'"]),
    "tasks on a plain function": (
        "expect_speedup(tasks=4, at_least=3)",
        ["expect_speedup(tasks=...) is for an async def body", "Write async def, or threads=N"],
    ),
}

BAD_ASYNC_MARKERS = {
    "threads": ("expect_speedup(threads=4, at_least=3)", ["(threads=...)", "async def", "Write tasks=N instead"]),
    "processes": ("expect_speedup(processes=4, at_least=3)", ["(processes=...)", "async def", "Write tasks=N instead"]),
    "io_bound threads": ("expect_io_bound(threads=4)", ["(threads=...)", "async def"]),
    "gil": ("expect_cpu_bound(gil='held')", ["gil=", "needs a plain function"]),
    "block without a unit": ("expect_nonblocking(max_block=50)", ["max_block needs a unit", "'50ms', or '50s'"]),
}


def assert_told(result: pytest.RunResult, nodeid: str, said: list[str]) -> None:
    """One error, at that test, in words that are not a traceback; the other test passes."""
    result.assert_outcomes(errors=1, passed=1)
    assert_other_passed(result)
    text = text_of(result)
    for fragment in [f"in {nodeid}", *said]:
        assert fragment in text
    assert "INTERNALERROR" not in text
    assert "Traceback" not in text
    assert "markers.py" not in text, "the plugin's own code is shown"


@pytest.mark.parametrize(("marker", "said"), BAD_MARKERS.values(), ids=BAD_MARKERS)
def test_bad_marker_is_an_error_of_its_test(suite: Suite, marker: str, said: list[str]) -> None:
    result = suite(f"@pytest.mark.{marker}\ndef test_bad():\n    raise SystemExit('the body has run')\n")
    assert_told(result, "test_suite.py::test_bad", said)
    assert "the body has run" not in text_of(result)


@pytest.mark.parametrize(("marker", "said"), BAD_ASYNC_MARKERS.values(), ids=BAD_ASYNC_MARKERS)
def test_bad_marker_on_an_async_body(suite: Suite, marker: str, said: list[str]) -> None:
    result = suite(f"@pytest.mark.{marker}\nasync def test_bad():\n    pass\n")
    assert_told(result, "test_suite.py::test_bad", said)


UNKNOWN = "-Wignore::pytest.PytestUnknownMarkWarning"


@pytest.mark.parametrize(
    ("marker", "meant"),
    [
        ("expect_speedups(threads=4)", "expect_speedup"),
        ("expect_iobound", "expect_io_bound"),
        ("expect_non_blocking", "expect_nonblocking"),
        ("expect_gil_release()", "expect_gil_released"),
    ],
)
def test_a_misspelt_marker_is_an_error_of_its_test(suite: Suite, marker: str, meant: str) -> None:
    result = suite(f"@pytest.mark.{marker}\ndef test_bad():\n    raise SystemExit('the body has run')\n", UNKNOWN)
    name = marker.partition("(")[0]
    assert_told(result, "test_suite.py::test_bad", [f"there is no marker {name}", f"did you mean {meant}?"])


@pytest.mark.parametrize("marker", ["expect_failure", "expectation", "expected"])
def test_markers_of_others_are_left_alone(suite: Suite, marker: str) -> None:
    suite(f"@pytest.mark.{marker}\ndef test_good():\n    pass\n", UNKNOWN).assert_outcomes(passed=2)


def test_a_registered_marker_with_a_similar_name_is_left_alone(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nmarkers =\n    expect_speedups(n): of another plugin\n")
    suite("@pytest.mark.expect_speedups(3)\ndef test_good():\n    pass\n").assert_outcomes(passed=2)


def test_one_bad_marker_next_to_a_good_one_is_enough(suite: Suite) -> None:
    result = suite(
        """
@pytest.mark.expect_io_bound
@pytest.mark.expect_speedup(threads=4, at_leest=3)
def test_bad():
    time.sleep(0.002)
"""
    )
    assert_told(result, "test_suite.py::test_bad", ["at_leest"])


def test_parametrised_tests_are_distinguished(suite: Suite) -> None:
    result = suite(
        """
@pytest.mark.parametrize("n", [
    1,
    pytest.param(2, marks=pytest.mark.expect_speedup(threads=2, at_least=9)),
])
def test_bad(n):
    pass
"""
    )
    result.assert_outcomes(errors=1, passed=2)
    text = text_of(result)
    assert "expect_speedup(threads=2, at_least=9) can never be met" in text
    assert "in test_suite.py::test_bad[2]" in text


def test_a_testcase_method_cannot_be_measured(suite: Suite) -> None:
    result = suite(
        """
class TestOld(unittest.TestCase):
    @pytest.mark.expect_io_bound
    def test_bad(self):
        raise SystemExit("the body has run")

    def test_neighbour(self):
        pass
"""
    )
    result.assert_outcomes(errors=1, passed=2)
    assert_other_passed(result)
    text = text_of(result)
    assert "expect_io_bound is on a unittest.TestCase method, whose body cannot be called again and again" in text
    assert "in test_suite.py::TestOld::test_bad" in text
    assert "Move the workload into a plain test function or method" in text
    assert "the body has run" not in text


def test_a_doctest_cannot_be_measured(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                if type(item).__name__ == "DoctestItem":
                    item.add_marker(pytest.mark.expect_cpu_bound)
        """
    )
    pytester.makepyfile(
        test_suite='''
        def halve(n):
            """
            >>> halve(4)
            2
            """
            return n // 2

        def test_other():
            pass
        '''
    )
    result = rerun(pytester, "--doctest-modules")
    result.assert_outcomes(errors=1, passed=1)
    assert_other_passed(result)
    text = text_of(result)
    assert "expect_cpu_bound is on a DoctestItem, whose body cannot be called again and again" in text
    assert "in test_suite.py::test_suite.halve" in text


# Calls of the fixture; the error is raised at the test's own line.
BAD_CALLS = {
    "keyword of the function": (
        "concurrency.speedup(work, n=4, threads=2) >= 2",
        ["no keyword 'n'", "functools.partial(function, n=...)"],
    ),
    "no backend": ("concurrency.speedup(work) >= 2", ["takes one of threads=N, processes=N, tasks=N", "has none"]),
    "two backends": ("concurrency.speedup(work, threads=2, processes=2) >= 2", ["has threads and processes"]),
    "unknown keyword": ("concurrency.speedup(work, treads=2) >= 2", ["no keyword 'treads'", "Did you mean 'threads'?"]),
    "workers zero": ("concurrency.speedup(work, threads=0) >= 2", ["threads=0", "between 1 and 512"]),
    "above the workers": ("concurrency.speedup(work, threads=2) >= 3", ["can never be met", "raise threads"]),
    "tasks of a plain function": ("concurrency.speedup(work, tasks=2) >= 2", ["async def", "threads=N"]),
    "threads of an async def": ("concurrency.speedup(awork, threads=2) >= 2", ["async def", "tasks=N"]),
    "text as threshold": ("concurrency.speedup(work, threads=2) >= '2'", ["cannot be compared with '2'", "above 0"]),
    "zero as threshold": ("concurrency.speedup(work, threads=2) >= 0", ["cannot be compared with 0", "above 0"]),
    "not compared": ("concurrency.speedup(work, threads=2)", ["compare it with a number", ">= 2"]),
    "equality": ("concurrency.speedup(work, threads=2) == 2", ["use >= or <="]),
    "not callable": ("concurrency.speedup(42, threads=2) >= 2", ["42 cannot be called", "give the function"]),
    "called already": ("concurrency.speedup(work(), threads=2) >= 2", ["None cannot be called", "f and not f()"]),
    "compare not callable": ("concurrency.compare(work, work()) > 2", ["needs two functions", "None"]),
    "compare not compared": ("concurrency.compare(work, work)", ["compare it with a number"]),
    "compare unknown keyword": ("concurrency.compare(work, work, times=3) > 2", ["no keyword 'times'"]),
    "compare async def": ("concurrency.compare(awork, awork) > 2", ["awork is an async def", "asyncio.run(awork())"]),
    "sustained for too long": (
        "concurrency.speedup(work, threads=2, sustained='4s', max_time='1s') >= 1.5",
        ["2 rounds of both sides take 16 s", "Raise max_time, or lower sustained"],
    ),
    "compare misspelt": (
        "concurrency.compare(work, work, same_resul=True) > 2",
        ["Did you mean 'same_result'?", "Its keywords: same_result, margin"],
    ),
    "compare same_result of text": ("concurrency.compare(work, work, same_result='no') > 2", ["must be True or False"]),
    "compare setup": ("concurrency.compare(work, work, setup=dict) > 2", ["has no setup="]),
    "threshold as keyword": (
        "concurrency.speedup(work, threads=2, at_least=2) >= 2",
        ["'at_least'"],
    ),
    "at_least of text": ("concurrency.speedup(work, threads=2).at_least('2')", ["cannot be compared with '2'"]),
    "scaling of one count": (
        "concurrency.scaling(work, threads=4) >= 0.7",
        ["such as (1, 2, 4)"],
    ),
    "scaling above 1": ("concurrency.scaling(work) >= 7", ["cannot be compared with 7", "share above 0 and at most 1"]),
    "scaling from above": ("concurrency.scaling(work) <= 0.7", ["no threshold with <=", ">= 0.7"]),
    "scaling too low": ("concurrency.scaling(work, threads=(1, 2)) >= 0.5", ["no more than one worker gives"]),
    "gil_hold of an async def": ("concurrency.gil_hold(awork) <= '5ms'", ["needs a plain function", "loop_block"]),
    "gil_hold of no duration": (
        "concurrency.gil_hold(work) <= 'soon'",
        ["be a duration"],
    ),
    "gil_hold too short": ("concurrency.gil_hold(work) <= '1us'", ["shorter than 1ms cannot be seen"]),
    "gil_hold from below": ("concurrency.gil_hold(work) >= '5ms'", ["no threshold with >=", "<= "]),
    "gil_hold with threads": ("concurrency.gil_hold(work, threads=4) <= '5ms'", ["no keyword 'threads'"]),
    "gil_hold not compared": ("concurrency.gil_hold(work)", ["compare it with a duration"]),
    "gil_hold equality": ("concurrency.gil_hold(work) == 1", ["use <=."]),
    "loop_block of a plain function": ("concurrency.loop_block(work) <= '50ms'", ["needs an async def", "gil_hold"]),
    "loop_block too short": ("concurrency.loop_block(awork) <= '1ms'", ["blocks shorter than 5 ms"]),
    "bound unknown keyword": ("concurrency.bound(work, treads=4) == 'io'", ["no keyword 'treads'"]),
    "measure unknown keyword": ("concurrency.measure(work, treads=4)", ["no keyword 'treads'"]),
    "no such bound type": (
        "concurrency.bound(work, max_time='100ms') == 'disk'",
        ["'disk' is not a bound type", "compare with 'io', 'cpu', 'mixed'"],
    ),
}


@pytest.mark.parametrize(("call", "said"), BAD_CALLS.values(), ids=BAD_CALLS)
def test_bad_call_of_the_fixture_fails_at_its_line(suite: Suite, call: str, said: list[str]) -> None:
    result = suite(
        f"""
def work():
    time.sleep(0.002)

async def awork():
    await asyncio.sleep(0.002)

def test_bad(concurrency):
    assert {call}
"""
    )
    result.assert_outcomes(failed=1, passed=1)
    assert_outcome(result, "test_bad", "FAILED")
    assert_other_passed(result)
    text = text_of(result)
    for fragment in [f"> assert {call}", "BadArgument", *said]:
        assert fragment in text
    assert "fixture.py:" not in text, "the plugin's own code is shown"


def test_an_async_body_with_a_yield_would_run_nothing_and_is_an_error(suite: Suite) -> None:
    source = "@pytest.mark.expect_cpu_bound\nasync def test_bad():\n    assert False\n    yield\n"
    result = suite(source)
    result.assert_outcomes(errors=1, passed=1)
    assert "expect_cpu_bound is on a test that has a yield, so calling it runs nothing" in text_of(result)


def test_a_body_that_returns_something_is_warned_of_as_by_pytest(suite: Suite) -> None:
    result = suite("@pytest.mark.expect_io_bound\ndef test_bad():\n    time.sleep(0.004)\n    return 5\n")
    assert "test_bad returned int: a test should return None" in text_of(result)


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_a_forgotten_await_is_an_error(suite: Suite) -> None:
    """Nothing would be measured, and no wait is easily met."""
    result = suite(
        """
async def fetch():
    await asyncio.sleep(0.01)

async def forgets():
    fetch()

@pytest.mark.expect_nonblocking(max_block="50ms")
async def test_marker():
    await forgets()

@pytest.mark.expect_cpu_bound
def test_plain():
    asyncio.run(forgets())

def test_fixture(concurrency):
    assert concurrency.loop_block(forgets) <= "50ms"
"""
    )
    result.assert_outcomes(failed=3, passed=1)
    assert text_of(result).count("fetch() was called without await") >= 3
