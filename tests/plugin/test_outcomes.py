"""The four verdicts, and what pytest makes of them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from conftest import LOCKED, Backend, Suite, assert_other_passed, assert_outcome, text_of

from pytest_concurrency.machine.cpus import gil_enabled
from pytest_concurrency.testing import ScriptedBody

# Two rounds are always tried, and two are never enough: sure to be undecided, and quick.
NO_TIME = "max_time='1us'"


def test_met_passes_in_every_backend(suite: Suite, backend: Backend) -> None:
    result = suite(
        f"""
@pytest.mark.expect_speedup({backend.name}=4, at_least=2)
{backend.define} test_body():
    {backend.wait.format(0.01)}
"""
    )
    result.assert_outcomes(passed=2)
    assert "1 verdict: 1 met" in text_of(result)


@pytest.mark.parametrize("define", ["def", "async def"])
def test_io_bound_is_met_by_waiting(suite: Suite, define: str) -> None:
    wait = "time.sleep(0.004)" if define == "def" else "await asyncio.sleep(0.004)"
    result = suite(f"@pytest.mark.expect_io_bound\n{define} test_body():\n    {wait}\n")
    result.assert_outcomes(passed=2)
    assert "1 verdict: 1 met" in text_of(result)


def test_what_a_body_prints_each_time_does_not_bury_why_it_failed(suite: Suite) -> None:
    result = suite(LOCKED.replace("with LOCK:", "print('begun\\n' * 100, 'the end')\n    with LOCK:"))
    assert_outcome(result, "test_body", "FAILED")
    text = text_of(result)
    assert "Try: remove or narrow the lock" in text
    assert text.count("begun") < 120
    result.stdout.re_match_lines(
        [r"\[\.\.\. [\d,]+ lines left out: a measured body runs many times; -s shows all \.\.\.\]", r" the end"]
    )


def test_not_met_fails_and_explains_itself(suite: Suite) -> None:
    result = suite(LOCKED)
    result.assert_outcomes(failed=1, passed=1)
    assert_outcome(result, "test_body", "FAILED")
    assert_other_passed(result)
    text = text_of(result)
    # The figure with its interval and the threshold.
    result.stdout.re_match_lines([r".*expect_speedup\(threads=4, at_least=3\) is not met: .*"])
    flowing = " ".join(text.split())
    assert re.search(
        r"4 threads were \d\.\d\dx as fast as 1 thread \(interval \d\.\d\dx to \d\.\d\dx\); required: at least 3x\.",
        flowing,
    )
    # What each side did, the cause, the place, what to do and where to read more.
    result.stdout.re_match_lines([r"Time \(median of \d+ rounds\) +1 thread +4 threads", r".* <- grew$"])
    result.stdout.re_match_lines(
        [r"Cause: serialized\. The code waits", r" +\S", r"Where: test_suite\.py:\d+ in", r"Try: +remove", r"", r"Conf"]
    )
    assert "/page/serialized/" in text
    assert "NOT MET test_suite.py::test_body speedup" in text
    assert "required >= 3x" in text
    assert "1 verdict: 1 not met" in text


@pytest.mark.skipif(not gil_enabled(), reason="has no GIL")
def test_not_met_under_the_gil_is_explained_without_jargon(suite: Suite, scripted: Callable[..., None]) -> None:
    scripted(ScriptedBody(cpu=0.004, holds_gil=True))
    result = suite(
        """
@pytest.mark.expect_speedup(threads=4, at_least=3.5)
def test_body():
    n = 0
    for i in range(40_000):
        n += i
"""
    )
    result.assert_outcomes(failed=1, passed=1)
    text = " ".join(text_of(result).split())
    assert "Cause: CPU-bound. The code computes" in text
    assert "holds the global interpreter lock (GIL), so only one thread at a time computes" in text
    assert "Try: use processes" in text


def test_at_most_is_not_met_by_a_real_speedup(suite: Suite) -> None:
    result = suite(
        """
@pytest.mark.expect_speedup(threads=4, at_most=1.5)
def test_body():
    time.sleep(0.004)
"""
    )
    result.assert_outcomes(failed=1, passed=1)
    assert "required: at most 1.5x" in " ".join(text_of(result).split())
    assert "required <= 1.5x" in text_of(result)


def test_io_bound_is_not_met_by_computing_and_cpu_bound_by_waiting(suite: Suite) -> None:
    result = suite(
        """
@pytest.mark.expect_io_bound
def test_computes():
    sum(range(300_000))

@pytest.mark.expect_cpu_bound
def test_waits():
    time.sleep(0.004)

@pytest.mark.expect_cpu_bound
def test_met():
    sum(range(300_000))
"""
    )
    result.assert_outcomes(failed=2, passed=2)
    text = text_of(result)
    assert "expect_io_bound is not met" in text
    assert "if it is meant to compute, use expect_cpu_bound" in text
    assert "expect_cpu_bound is not met" in text
    assert "if it is meant to wait, use expect_io_bound" in text
    assert "3 verdicts: 1 met, 2 not met" in text


def test_not_met_is_an_assertion_error_of_the_call_phase(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(
        LOCKED.replace(
            "@pytest.mark.expect",
            "@pytest.mark.xfail(raises=AssertionError, strict=True, reason='known')\n@pytest.mark.expect",
        ),
        "--junitxml=junit.xml",
    )
    result.assert_outcomes(xfailed=1, passed=1)


def test_junit_says_failure_not_error(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(LOCKED, "--junitxml=junit.xml")
    junit = (pytester.path / "junit.xml").read_text()
    assert 'failures="1"' in junit
    assert 'errors="0"' in junit
    assert "is not met" in junit


def test_a_met_expectation_under_strict_xfail_fails(suite: Suite) -> None:
    result = suite(
        """
@pytest.mark.xfail(strict=True, reason="was slow once")
@pytest.mark.expect_io_bound
def test_body():
    time.sleep(0.004)
"""
    )
    result.assert_outcomes(failed=1, passed=1)
    assert "[XPASS(strict)] was slow once" in text_of(result)


@pytest.mark.parametrize(
    ("policy", "outcome"), [("skip", "SKIPPED"), ("fail", "FAILED"), ("pass", "PASSED")], ids=lambda value: str(value)
)
def test_undecided_follows_the_policy(suite: Suite, policy: str, outcome: str) -> None:
    result = suite(
        f"""
@pytest.mark.expect_io_bound({NO_TIME}, undecided={policy!r})
def test_body():
    time.sleep(0.004)
""",
        "-rs",
    )
    assert_outcome(result, "test_body", outcome)
    assert_other_passed(result)
    text = text_of(result)
    assert "UNDECIDED test_suite.py::test_body" in text
    assert "o verdict within 1 us (max_time)" in text
    assert "raise max_time" in text
    assert "1 verdict: 1 undecided" in text


@pytest.mark.parametrize("first", ["skip", "fail"])
def test_of_two_undecided_markers_the_one_that_fails_is_reported(suite: Suite, first: str) -> None:
    second = {"skip": "fail", "fail": "skip"}[first]
    result = suite(
        f"""
@pytest.mark.expect_io_bound({NO_TIME}, undecided={first!r})
@pytest.mark.expect_speedup(threads=2, at_least=1.5, {NO_TIME}, undecided={second!r})
def test_body():
    time.sleep(0.004)
"""
    )
    assert_outcome(result, "test_body", "FAILED")
    assert "2 verdicts: 2 undecided" in text_of(result)


def test_a_skip_points_at_the_test(suite: Suite) -> None:
    result = suite(f"@pytest.mark.expect_io_bound({NO_TIME})\ndef test_body():\n    time.sleep(0.004)\n", "-rs")
    result.stdout.re_match_lines([r"SKIPPED \[1\] test_suite\.py:\d+: undecided: no verdict within.*"])


def test_computing_that_needs_more_cpus_than_there_are_is_unmeasurable(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two CPUs on whatever machine; a machine of one has its own reason to skip.
    monkeypatch.setattr("pytest_concurrency.measurement.base_bench.usable_cpus", lambda: 2.0)
    result = suite(
        """
@pytest.mark.expect_speedup(processes=4, at_least=3)
def test_body():
    sum(range(300_000))
""",
        "-rs",
    )
    result.assert_outcomes(skipped=1, passed=1)
    assert_other_passed(result)
    text = text_of(result)
    assert "SKIPPED [1] test_suite.py:4: unmeasurable: 4 processes of a body that computes" in text
    assert "on 2 usable CPUs" in text
    assert "It needs 3 CPUs" in text
    assert "1 verdict: 1 unmeasurable" in text


def test_a_start_method_that_the_platform_lacks_is_unmeasurable(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multiprocessing.get_all_start_methods", lambda: ["spawn"])
    result = suite(
        """
@pytest.mark.expect_speedup(processes=2, at_least=1.5)
def test_body():
    time.sleep(0.004)
""",
        "--concurrency-start-method=fork",
        "-rs",
    )
    result.assert_outcomes(skipped=1, passed=1)
    assert "start method 'fork' is not available here; this platform has spawn" in text_of(result)


def test_every_stacked_expectation_gets_its_verdict(suite: Suite) -> None:
    result = suite(
        """
LOCK = threading.Lock()

@pytest.mark.expect_speedup(threads=4, at_most=1.5)
@pytest.mark.expect_speedup(threads=4, at_least=3)
@pytest.mark.expect_cpu_bound(max_time="1us")
def test_body():
    with LOCK:
        time.sleep(0.004)
""",
        "--concurrency-report",
    )
    result.assert_outcomes(failed=1, passed=1)
    text = text_of(result)
    assert "3 verdicts: 1 met, 1 not met, 1 undecided" in text
    assert "expect_speedup(threads=4, at_least=3) is not met" in text


def test_every_marker_that_is_not_met_is_reported(suite: Suite) -> None:
    result = suite(
        """
LOCK = threading.Lock()

@pytest.mark.expect_speedup(threads=4, at_least=3)
@pytest.mark.expect_cpu_bound
def test_body():
    with LOCK:
        time.sleep(0.004)
"""
    )
    result.assert_outcomes(failed=1, passed=1)
    text = text_of(result)
    assert "expect_speedup(threads=4, at_least=3) is not met" in text
    assert "expect_cpu_bound is not met" in text


def test_fixtures_are_set_up_once_and_the_body_runs_often(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(
        """
@pytest.fixture
def tally():
    print("SET UP")
    counts = []
    yield counts
    print(f"TORN DOWN after {'many' if len(counts) > 8 else 'few'}")

@pytest.mark.expect_io_bound
def test_body(tally):
    tally.append(1)
    time.sleep(0.004)
""",
        "-s",
    )
    result.assert_outcomes(passed=2)
    assert result.stdout.str().count("SET UP") == 1
    assert result.stdout.str().count("TORN DOWN after many") == 1


def test_a_measured_test_leaves_no_worker_behind(suite: Suite, pytester: pytest.Pytester) -> None:
    result = suite(
        """
import multiprocessing

@pytest.mark.expect_io_bound
@pytest.mark.expect_speedup(processes=2, at_least=1.2)
def test_body():
    time.sleep(0.004)

@pytest.mark.expect_speedup(tasks=4, at_least=2)
async def test_tasks():
    await asyncio.sleep(0.004)

def test_none_left():
    assert [t.name for t in threading.enumerate() if t.name.startswith("concurrency-")] == []
    assert multiprocessing.active_children() == []
"""
    )
    result.assert_outcomes(passed=4)


@pytest.mark.parametrize("comparison", ["{} >= 2", "not {} >= 2", "{} <= 2", "not {} <= 2"])
def test_an_undecided_comparison_that_is_to_pass_does_so_whichever_way_it_is_asserted(
    suite: Suite, comparison: str
) -> None:
    asked = comparison.format('concurrency.speedup(time.sleep, 0.001, threads=4, max_time="1us", undecided="pass")')
    suite(f"def test_body(concurrency):\n    assert {asked}\n").assert_outcomes(passed=2)


def test_what_fails_when_it_is_repeated_says_that_the_first_call_passed(suite: Suite) -> None:
    result = suite(
        """
@pytest.mark.expect_io_bound
def test_body(tmp_path):
    (tmp_path / "once").mkdir()
    time.sleep(0.001)

@pytest.mark.expect_io_bound
def test_fails_at_once():
    raise ValueError("at once")
"""
    )
    result.assert_outcomes(failed=2, passed=1)
    assert "FileExistsError" in text_of(result)
    assert text_of(result).count("The body passed when it was called once.") == 1
    assert "concurrency_tmp_path" in text_of(result)


@pytest.mark.parametrize(("policy", "errors"), [("skip", 0), ("pass", 0), ("fail", 1)])
def test_a_call_that_is_never_compared_follows_the_undecided_policy(suite: Suite, policy: str, errors: int) -> None:
    source = "def test_body(concurrency):\n    concurrency.speedup(time.sleep, 0.001, threads=4)\n"
    failing = "def test_fails(concurrency):\n    concurrency.speedup(time.sleep, 0.001, threads=4)\n    assert 0\n"
    result = suite(source + failing, f"--concurrency-undecided={policy}", "-Wignore::pytest.PytestWarning")
    result.assert_outcomes(passed=2, failed=1, errors=errors)
    said = "undecided: concurrency.speedup(sleep, ...) was never compared with anything, so nothing was measured"
    assert (said in text_of(result)) == bool(errors)


def test_skip_in_a_worker_process_is_placed_at_the_test(suite: Suite) -> None:
    source = """
@pytest.mark.expect_speedup(processes=2, at_least=1.2)
def test_body(concurrency_worker):
    if concurrency_worker.backend != "serial":
        pytest.skip("gone")
"""
    result = suite(source, "-rs")
    assert_outcome(result, "test_body", "SKIPPED")
    assert re.search(r"SKIPPED \[1\] test_suite\.py:\d+: gone", text_of(result))


def test_exception_of_a_compared_function_says_which_one_and_in_which_round(suite: Suite) -> None:
    source = """
def test_body(concurrency):
    calls = itertools.count()
    def late():
        if next(calls) > 12:
            raise ValueError("late")
        time.sleep(0.001)
    assert concurrency.compare(lambda: time.sleep(0.002), late) >= 1.1
"""
    result = suite("import itertools\n" + source)
    assert_outcome(result, "test_body", "FAILED")
    assert re.search(r"ValueError: late while measuring: the candidate, round \d+", text_of(result))


def test_skip_in_the_workers_of_a_later_marker_hides_no_failure(suite: Suite) -> None:
    result = suite(
        """
@pytest.mark.expect_io_bound
@pytest.mark.expect_cpu_bound
def test_body(concurrency_worker):
    if concurrency_worker.count > 1:
        pytest.skip("needs one connection for each worker")
    time.sleep(0.004)
"""
    )
    assert_outcome(result, "test_body", "FAILED")
    text = " ".join(text_of(result).split())
    assert "expect_cpu_bound is not met" in text
    assert "has then skipped the test for the next marker: needs one connection for each worker" in text
