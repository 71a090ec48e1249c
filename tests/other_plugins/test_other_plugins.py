"""The plugins and options that measured tests meet: each row of docs/howto/other-plugins.md, with the real thing.

A row whose plugin is not installed is skipped; ``tox -e company`` has them all. What runs async tests
is in test_async_plugins.py, more of pytest-xdist in test_xdist.py.
"""

from __future__ import annotations

import pytest
from conftest import (
    LOCKED,
    REPORT,
    Suite,
    assert_other_passed,
    assert_outcome,
    other_session,
    plugin,
    records,
    rerun,
    text_of,
)

WAITS = """
@pytest.mark.expect_speedup(threads=4, at_least=2)
def test_waits():
    time.sleep(0.004)
"""
QUEUES = LOCKED.replace("test_body", "test_queues")
ASKS = """
def test_asks(concurrency):
    assert concurrency.speedup(time.sleep, 0.004, threads=4) >= 2
"""
NOTHING_LEFT = """
def test_zz_nothing_is_left():
    import multiprocessing
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("concurrency")]
    assert not multiprocessing.active_children()
"""


ASYNC_TESTS_THAT_WAIT = f"""
{other_session(seconds=5)}

@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"

@pytest.mark.timeout(4, func_only=True)
@pytest.mark.RUNNER
@pytest.mark.expect_io_bound(max_time="300ms", undecided="pass")
async def test_waits_for_the_host(other_session):
    await asyncio.sleep(0.005)

@pytest.mark.timeout(4, func_only=True)
@pytest.mark.RUNNER
async def test_asks_for_the_host(other_session, concurrency):
    asked = concurrency.speedup(asyncio.sleep, 0.005, tasks=2, max_time="300ms", undecided="pass")
    assert await asked.at_least(1.2)

@pytest.mark.timeout(1)
@pytest.mark.RUNNER
@pytest.mark.expect_io_bound
async def test_hangs():
    await asyncio.Event().wait()
"""


def verdicts(pytester: pytest.Pytester) -> list[tuple[str, str]]:
    return [
        (record["nodeid"].partition("::")[2], expectation["verdict"])
        for record in records(pytester)
        for expectation in record["expectations"]
    ]


class TestXdist:
    def test_each_worker_measures_and_one_process_tells(self, suite: Suite, pytester: pytest.Pytester) -> None:
        options = (*plugin("xdist"), "-n", "2", REPORT)
        result = suite(WAITS + QUEUES + ASKS, *options, subprocess=True)
        result.assert_outcomes(passed=3, failed=1)
        assert sorted(verdicts(pytester)) == [
            ("test_asks", "met"),
            ("test_queues", "not_met"),
            ("test_waits", "met"),
        ]

    def test_measured_tests_apart_from_the_others(self, suite: Suite, pytester: pytest.Pytester) -> None:
        """The two commands that the page recommends."""
        result = suite(WAITS + ASKS, *plugin("xdist"), "-n", "2", "--concurrency-skip", subprocess=True)
        result.assert_outcomes(passed=1)
        result = rerun(pytester, "--concurrency-only")
        assert "2 passed, 1 deselected" in text_of(result)


class TestTimeout:
    @pytest.mark.parametrize(
        "source",
        [
            "@pytest.mark.expect_speedup(threads=4, at_least=2)\n"
            "def test_hangs(concurrency_worker):\n"
            "    while concurrency_worker.index == 2:\n        time.sleep(0.01)\n    time.sleep(0.004)\n",
            "@pytest.mark.expect_speedup(processes=2, at_least=1.5)\n"
            "def test_hangs(concurrency_worker):\n"
            "    while concurrency_worker.index == 1:\n        time.sleep(0.01)\n    time.sleep(0.004)\n",
            "@pytest.mark.expect_io_bound\nasync def test_hangs():\n    await asyncio.Event().wait()\n",
            "def test_hangs(concurrency):\n    concurrency.speedup(time.sleep, 0.7, threads=4) >= 3\n",
        ],
        ids=["threads", "processes", "tasks", "fixture"],
    )
    def test_a_hanging_body_ends_with_its_test(self, suite: Suite, source: str) -> None:
        source = "@pytest.mark.timeout(1)\n" + source + NOTHING_LEFT
        result = suite(source, *plugin("timeout"), "-o", "timeout_method=signal", subprocess=True)
        result.assert_outcomes(passed=2, failed=1)
        assert "Timeout (>1.0s) from pytest-timeout" in text_of(result)

    def test_a_body_that_hangs_in_a_pool(self, suite: Suite) -> None:
        """Python would wait for the pool's thread at its end."""
        source = (
            "from concurrent.futures import ThreadPoolExecutor\n"
            "@pytest.mark.timeout(1)\n"
            "@pytest.mark.expect_speedup(executor=ThreadPoolExecutor, workers=2, at_least=1.5)\n"
            "def test_hangs(concurrency_worker):\n"
            "    if concurrency_worker.index == 1:\n        threading.Event().wait()\n    time.sleep(0.004)\n"
        )
        result = suite(source + WAITS, *plugin("timeout"), "-o", "timeout_method=signal", subprocess=True)
        result.assert_outcomes(passed=2, failed=1)
        assert "Timeout (>1.0s) from pytest-timeout" in text_of(result)
        result.stderr.re_match_lines([r"  test_hangs, ThreadPoolExecutor worker 2: .*test_suite\.py:\d+ in test_hangs"])

    def test_async_plugins_too(self, suite: Suite) -> None:
        options = (*plugin("timeout"), *plugin("asyncio"), "-o", "asyncio_default_fixture_loop_scope=function")
        source = "@pytest.mark.timeout(1)\n@pytest.mark.asyncio\n@pytest.mark.expect_io_bound\n"
        body = "async def test_hangs():\n    await asyncio.Event().wait()\n"
        result = suite(source + body + NOTHING_LEFT, *options, subprocess=True)
        result.assert_outcomes(passed=2, failed=1)
        assert "Timeout (>1.0s) from pytest-timeout" in text_of(result)

    @pytest.mark.parametrize("method", ["signal", "thread"])
    @pytest.mark.parametrize("runner", ["asyncio", "anyio"])
    def test_waiting_for_exclusive_host_access_is_not_limited_in_async_tests(
        self, suite: Suite, pytester: pytest.Pytester, runner: str, method: str
    ) -> None:
        mode = ("--asyncio-mode=strict", "-o", "asyncio_default_fixture_loop_scope=function")
        options = (*plugin("timeout"), "-o", f"timeout_method={method}", *plugin(runner))
        source = ASYNC_TESTS_THAT_WAIT.replace("RUNNER", runner)
        if method == "thread":  # which ends the session when a test hangs
            source = source.partition("@pytest.mark.timeout(1)")[0]
        result = suite(source, *options, *(mode if runner == "asyncio" else ()), REPORT, subprocess=True)
        result.assert_outcomes(passed=3, failed=int(method == "signal"))
        assert_outcome(result, "test_waits_for_the_host", "PASSED")
        assert_outcome(result, "test_asks_for_the_host", "PASSED")
        assert [record["quiet_host"]["waited"] > 4 for record in records(pytester)] == [True, True]

    def test_one_that_does_not_hang_is_measured(self, suite: Suite) -> None:
        result = suite("pytestmark = pytest.mark.timeout(20)\n" + WAITS + ASKS, *plugin("timeout"), subprocess=True)
        result.assert_outcomes(passed=3)


class TestRerunfailures:
    def test_only_the_last_run_is_in_the_report(self, suite: Suite, pytester: pytest.Pytester) -> None:
        result = suite(WAITS + QUEUES, *plugin("rerunfailures"), "--reruns", "2", REPORT, subprocess=True)
        assert "1 failed, 2 passed, 2 rerun" in text_of(result)
        assert verdicts(pytester) == [("test_waits", "met"), ("test_queues", "not_met")]
        assert "2 verdicts: 1 met, 1 not met" in text_of(result)


class TestCov:
    def test_the_record_and_the_report_say_that_workers_were_traced(
        self, suite: Suite, pytester: pytest.Pytester
    ) -> None:
        computes = "@pytest.mark.expect_cpu_bound\ndef test_computes():\n    sum(n * n for n in range(20_000))\n"
        options = (*plugin("pytest_cov"), "--cov=.", "--cov-report=term", REPORT, "--concurrency-undecided=pass")
        result = suite(computes + WAITS, *options, subprocess=True)
        result.assert_outcomes(passed=3)
        assert [record["traced_by"] for record in records(pytester)] == [["coverage"], ["coverage"]]
        assert "traced by coverage (2 tests): Python code computes more slowly than without" in text_of(result)
        result.stdout.re_match_lines([r"test_suite\.py +\d+ +0 +100%"])

    def test_nothing_is_said_where_nothing_traces(self, suite: Suite, pytester: pytest.Pytester) -> None:
        result = suite(WAITS, REPORT, subprocess=True)
        assert [record["traced_by"] for record in records(pytester)] == [[]]
        assert "traced" not in text_of(result)

    def test_worker_processes_are_covered_where_coverage_patches_them(
        self, suite: Suite, pytester: pytest.Pytester
    ) -> None:
        options = (*plugin("pytest_cov"), "--cov=.", "--cov-report=term-missing")
        pytest.importorskip("coverage", "7.10", reason="coverage patches child processes from 7.10 on")
        (pytester.path / ".coveragerc").write_text(
            "[run]\nparallel = true\npatch = subprocess\nconcurrency = multiprocessing,thread\n"
        )
        source = """
@pytest.mark.expect_speedup(processes=2, at_least=1.2)
def test_waits(concurrency_worker):
    if concurrency_worker.backend == "processes":
        time.sleep(0.007)
    time.sleep(0.001)
"""
        result = suite(source, *options, "--concurrency-start-method=spawn", subprocess=True, other=False)
        result.assert_outcomes(passed=1)
        result.stdout.re_match_lines([r"test_suite\.py +\d+ +0 +100%"])


class TestBenchmark:
    def test_beside_the_fixture_concurrency(self, suite: Suite) -> None:
        source = """
def test_both(benchmark, concurrency):
    benchmark.pedantic(time.sleep, (0.001,), rounds=2)
    assert concurrency.speedup(time.sleep, 0.004, threads=4) >= 2
"""
        result = suite(source, *plugin("benchmark"), subprocess=True)
        result.assert_outcomes(passed=2)

    def test_in_a_measured_body_it_is_an_error(self, suite: Suite) -> None:
        source = "@pytest.mark.expect_io_bound\ndef test_body(benchmark):\n    benchmark(time.sleep, 0.001)\n"
        result = suite(source, *plugin("benchmark"), subprocess=True)
        result.assert_outcomes(errors=1, passed=1)
        text = text_of(result)
        assert "it asks for the fixture benchmark" in text
        assert "in test_suite.py::test_body" in text
        assert "use the fixture concurrency together with benchmark" in text


class TestRunParallel:
    @pytest.mark.parametrize("option", ["--parallel-threads=4", "--iterations=3"])
    def test_measured_tests_run_in_one_thread(self, suite: Suite, pytester: pytest.Pytester, option: str) -> None:
        switch = "\ndef test_switch(concurrency):\n    assert sys.getswitchinterval() > 1e-3\n"
        where = "\ndef test_where(concurrency):\n    assert threading.current_thread() is threading.main_thread()\n"
        options = (*plugin("run-parallel"), option, "--strict-markers", REPORT)
        result = suite(WAITS + QUEUES + ASKS + switch + where, *options, subprocess=True)
        result.assert_outcomes(passed=5, failed=1)
        assert verdicts(pytester) == [("test_waits", "met"), ("test_queues", "not_met"), ("test_asks", "met")]
        # The measured body is the test, not some threads or some runs of it.
        seconds = min(records(pytester)[0]["arms"][0]["wall"]) / records(pytester)[0]["arms"][0]["loops"]
        assert seconds < 0.008

    def test_says_so_and_leaves_other_tests_to_it(self, suite: Suite) -> None:
        result = suite(WAITS, *plugin("run-parallel"), "--parallel-threads=2", subprocess=True)
        text = text_of(result)
        assert "test_waits PASSED [thread-unsafe]: it measures concurrency in workers of its own" in text
        assert "test_other PARALLEL PASSED" in text


class TestRandomlyAndRepeat:
    def test_order_and_seed_do_not_matter(self, suite: Suite, pytester: pytest.Pytester) -> None:
        pytest.importorskip("pytest_randomly")
        draws = """
import random

@pytest.mark.expect_speedup(threads=4, at_least=2)
def test_draws():
    time.sleep(random.uniform(0.004, 0.0041))
"""
        result = suite(draws + WAITS + ASKS, *plugin("randomly"), REPORT, subprocess=True)
        result.assert_outcomes(passed=4)
        assert sorted(verdicts(pytester)) == [("test_asks", "met"), ("test_draws", "met"), ("test_waits", "met")]

    def test_every_repetition_has_a_record(self, suite: Suite, pytester: pytest.Pytester) -> None:
        result = suite(WAITS, *plugin("repeat"), "--count=2", REPORT, subprocess=True)
        result.assert_outcomes(passed=4)
        assert verdicts(pytester) == [("test_waits[1-2]", "met"), ("test_waits[2-2]", "met")]


class TestHypothesis:
    def test_a_property_is_an_error_that_says_what_to_do(self, suite: Suite) -> None:
        pytest.importorskip("hypothesis")
        source = """
from hypothesis import given, strategies

@pytest.mark.expect_io_bound
@given(strategies.integers())
def test_property(n):
    pass

@given(strategies.integers())
@pytest.mark.expect_io_bound
async def test_async_property(n):
    pass

@given(strategies.booleans())
def test_unmarked(n):
    pass
"""
        result = suite(source, *plugin("hypothesispytest"))
        result.assert_outcomes(errors=2, passed=2)
        text = text_of(result)
        assert "in test_suite.py::test_property" in text
        assert "in test_suite.py::test_async_property" in text
        assert "it is a property of hypothesis (@given)" in text
        assert "Move the workload into a plain test with fixed values" in text


class TestFreezegun:
    FREEZE = """
import datetime, freezegun

@pytest.fixture
def frozen():
    with freezegun.freeze_time("2020-01-01"{more}):
        yield

@pytest.mark.expect_speedup(threads=4, at_least=2)
{kind} test_frozen(frozen):
    assert datetime.date.today().year == 2020
    {wait}
"""

    def test_measuring_has_clocks_of_its_own(self, suite: Suite) -> None:
        pytest.importorskip("freezegun")
        source = self.FREEZE.format(more="", kind="def", wait="time.sleep(0.004)")
        result = suite(source + "\ndef test_asks(frozen, concurrency):" + ASKS.split(":", 1)[1], subprocess=True)
        result.assert_outcomes(passed=3)

    def test_asyncio_with_its_real_clock(self, suite: Suite) -> None:
        pytest.importorskip("freezegun")
        source = self.FREEZE.format(more=", real_asyncio=True", kind="async def", wait="await asyncio.sleep(0.004)")
        result = suite(source.replace("threads=", "tasks="), subprocess=True)
        result.assert_outcomes(passed=2)

    def test_asyncio_with_a_clock_that_stands_still_says_why_it_hangs(
        self, suite: Suite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytest.importorskip("freezegun")
        from pytest_concurrency.measurement import trial

        monkeypatch.setattr(trial, "_LEAST_PATIENCE", 0.5)
        source = self.FREEZE.format(more="", kind="async def", wait="await asyncio.sleep(0.004)")
        result = suite(source.replace("threads=", "tasks="), "--concurrency-max-time=0.5s")
        result.assert_outcomes(passed=1, failed=1)
        assert "freeze_time(..., real_asyncio=True)" in text_of(result)


def test_doctests_beside_measured_tests_run_as_they_are(suite: Suite) -> None:
    documented = '\ndef documented():\n    """\n    >>> 1 + 1\n    2\n    """\n'
    result = suite(documented + WAITS, "--doctest-modules")
    result.assert_outcomes(passed=3)


@pytest.mark.skipif(not hasattr(pytest, "Subtests"), reason="pytest has subtests from version 9 on")
class TestSubtests:
    def test_the_fixture_concurrency_inside_of_subtests(self, suite: Suite, pytester: pytest.Pytester) -> None:
        source = """
def test_sizes(subtests, concurrency):
    for seconds in (0.003, 0.004):
        with subtests.test(seconds=seconds):
            assert concurrency.speedup(time.sleep, seconds, threads=4) >= 2
    with subtests.test("slow"):
        assert concurrency.speedup(time.sleep, seconds, threads=4) <= 2
"""
        result = suite(source, REPORT)
        assert "SUBFAILED[slow]" in text_of(result)
        assert verdicts(pytester) == [("test_sizes", "met"), ("test_sizes", "met"), ("test_sizes", "not_met")]

    def test_in_a_measured_body_they_are_an_error(self, suite: Suite) -> None:
        source = "@pytest.mark.expect_io_bound\ndef test_body(subtests):\n    with subtests.test():\n        pass\n"
        result = suite(source)
        result.assert_outcomes(errors=1, passed=1)
        assert "Parametrize the test instead" in text_of(result)


@pytest.mark.skipif(not hasattr(pytest, "Subtests"), reason="pytest has subtests from version 9 on")
def test_a_fixture_that_overrides_one_of_pytest_and_uses_it_is_an_error(suite: Suite) -> None:
    source = """
@pytest.fixture
def subtests(subtests):
    return subtests

@pytest.mark.expect_io_bound
def test_body(subtests):
    time.sleep(0.01)
"""
    result = suite(source)
    assert_outcome(result, "test_body", "ERROR")
    assert "it asks for the fixture subtests" in text_of(result)


def test_a_fixture_that_is_only_named_like_one_of_pytest_is_measured(suite: Suite) -> None:
    source = """
@pytest.fixture
def subtests():
    return 0.01

@pytest.mark.expect_io_bound
def test_body(subtests):
    time.sleep(subtests)
"""
    assert_outcome(suite(source), "test_body", "PASSED")


class TestOptionsOfPytest:
    def test_pdb(self, suite: Suite, pytester: pytest.Pytester) -> None:
        raises = "@pytest.mark.expect_io_bound\ndef test_raises():\n    amount = 41\n    raise ValueError(amount)\n"
        pytester.makepyfile(test_suite="import pytest, threading, time\n" + QUEUES + raises)
        command = (*pytester._getpytestargs(), "-p", "concurrency_perf", "--pdb")
        process = pytester.popen(command, stdin=b"p 40 + 2\nc\np amount + 1\nc\n")
        out, _ = process.communicate(timeout=60)
        text = out.decode()
        assert "expect_speedup(threads=4, at_least=3) is not met" in text
        assert text.count("(Pdb) 42") == 2  # the debugger stands in the body that raised
        assert "2 failed" in text

    def test_trace_steps_through_the_body_once(self, pytester: pytest.Pytester) -> None:
        pytester.makepyfile(test_suite="import pytest, time\n" + WAITS)
        command = (*pytester._getpytestargs(), "-p", "concurrency_perf", "--trace")
        process = pytester.popen(command, stdin=b"c\n")
        out, _ = process.communicate(timeout=60)
        assert "-> time.sleep(0.004)" in out.decode()
        assert "1 passed" in out.decode()
        assert "verdict" not in out.decode()

    def test_exitfirst(self, suite: Suite) -> None:
        result = suite(QUEUES + WAITS, "-x")
        assert "stopping after 1 failures" in text_of(result)
        assert "1 verdict: 1 not met" in text_of(result)

    def test_lastfailed(self, suite: Suite, pytester: pytest.Pytester) -> None:
        suite(WAITS + QUEUES, "-p", "cacheprovider")
        result = rerun(pytester, "-p", "cacheprovider", "--lf")
        assert "test_waits" not in text_of(result)
        assert "1 verdict: 1 not met" in text_of(result)

    def test_failed_first(self, suite: Suite, pytester: pytest.Pytester) -> None:
        suite(WAITS + QUEUES, "-p", "cacheprovider")
        result = rerun(pytester, "-p", "cacheprovider", "--ff")
        result.assert_outcomes(passed=2, failed=1)
        result.stdout.re_match_lines([r".*::test_queues FAILED.*", r".*::test_waits PASSED.*"])

    def test_stepwise(self, suite: Suite, pytester: pytest.Pytester) -> None:
        result = suite(QUEUES + WAITS, "-p", "cacheprovider", "-p", "stepwise", "--sw")
        result.assert_outcomes(failed=1)
        result = rerun(pytester, "-p", "cacheprovider", "-p", "stepwise", "--sw", "--sw-skip", REPORT)
        result.assert_outcomes(failed=1, passed=2)
        assert verdicts(pytester) == [("test_queues", "not_met"), ("test_waits", "met")]

    @pytest.mark.parametrize("option", ["--co", "--setup-plan", "--setup-only"])
    def test_what_runs_no_body_measures_nothing(self, suite: Suite, pytester: pytest.Pytester, option: str) -> None:
        result = suite(QUEUES + ASKS, option, "--concurrency-report")
        assert result.ret == 0
        assert "test_queues" in text_of(result)
        assert "not_met" not in text_of(result)

    def test_setup_show_and_setup_only(self, suite: Suite, pytester: pytest.Pytester) -> None:
        result = suite(WAITS + ASKS, "--setup-show")
        result.assert_outcomes(passed=3)
        assert "SETUP F concurrency" in text_of(result)
        assert "2 verdicts: 2 met" in text_of(result)
        result = rerun(pytester, "--setup-only", "--concurrency-report")
        assert "0 verdicts: no test measured anything" in text_of(result)

    @pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
    def test_import_mode(self, suite: Suite, mode: str) -> None:
        """Worker processes import the test's module the same way; with more detail in test_processes.py."""
        source = "@pytest.mark.expect_speedup(processes=2, at_least=1.2)\ndef test_waits():\n    time.sleep(0.008)\n"
        result = suite(source, f"--import-mode={mode}", "--concurrency-start-method=spawn", subprocess=True)
        result.assert_outcomes(passed=2)


class TestUsableCpus:
    def test_too_few_is_a_skip_with_that_reason(self, suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
        from pytest_concurrency.machine import cpus

        monkeypatch.setattr(cpus, "cpu_quota", lambda: 1.5)
        monkeypatch.setattr(cpus, "_allowed_cpus", lambda: 8)
        source = """
import hashlib

@pytest.mark.expect_speedup(threads=4, at_least=4)
def test_hashes():
    hashlib.sha256(bytes(4_000_000)).digest()
"""
        result = suite(source, "-rs", "--concurrency-report")
        assert_outcome(result, "test_hashes", "SKIPPED")
        assert_other_passed(result)
        text = text_of(result)
        assert "unmeasurable: 4 threads of a body that computes for" in text
        assert "on 1.5 usable CPUs, so this machine cannot tell whether 4x is reached. It needs 4 CPUs" in text
        assert "1.5 usable CPUs (a quota)" in text
