"""Where markers may stand, and what a session knows of them."""

from __future__ import annotations

import pytest
from conftest import Suite, rerun, text_of

WAIT = "time.sleep(0.004)"
MARKERS = ("expect_io_bound", "expect_cpu_bound", "expect_speedup", "expect_gil_released", "expect_nonblocking")


@pytest.mark.parametrize("name", MARKERS)
def test_markers_are_listed_with_their_keywords(suite: Suite, name: str) -> None:
    lines = [line for line in suite("", "--markers").stdout.lines if line.startswith(f"@pytest.mark.{name}(*,")]
    assert len(lines) == 1
    assert "margin=0.25, max_time='10s', undecided='skip'|'fail'|'pass'|'retry', leftovers='tell'|'fail'" in lines[0]
    assert "setup=FUNCTION" in lines[0]


def test_markers_are_known_under_strict_markers(suite: Suite) -> None:
    marks = "".join(f"    @pytest.mark.{name}\n" for name in MARKERS)
    result = suite(f"class TestNever:\n{marks}    def test_body(self): pass\n", "--strict-markers", "--co")
    assert result.ret == pytest.ExitCode.OK


@pytest.mark.parametrize(
    "source",
    [
        f"@pytest.mark.expect_io_bound\ndef test_body():\n    {WAIT}\n",
        f"class TestAll:\n    @pytest.mark.expect_io_bound\n    def test_body(self):\n        {WAIT}\n",
        f"@pytest.mark.expect_io_bound\nclass TestAll:\n    def test_body(self):\n        {WAIT}\n",
        f"@pytest.mark.expect_io_bound()\nclass TestAll:\n    @staticmethod\n    def test_body():\n        {WAIT}\n",
        f"pytestmark = pytest.mark.expect_io_bound\ndef test_body():\n    {WAIT}\n",
        f"class TestAll:\n    pytestmark = [pytest.mark.expect_io_bound]\n    def test_body(self):\n        {WAIT}\n",
    ],
    ids=["function", "method", "class", "static method", "module", "pytestmark of a class"],
)
def test_marker_works_wherever_any_marker_does(suite: Suite, source: str) -> None:
    result = suite(source, other=False)
    result.assert_outcomes(passed=1)
    assert "1 verdict: 1 met" in text_of(result)


def test_every_parameter_set_gets_its_verdict(suite: Suite) -> None:
    result = suite(
        """
LOCK = threading.Lock()

def locked():
    with LOCK:
        time.sleep(0.004)

@pytest.fixture(params=[0.004])
def seconds(request):
    return request.param

@pytest.mark.parametrize("work", [
    pytest.param(time.sleep, id="free"),
    pytest.param(lambda seconds: locked(), id="locked"),
])
@pytest.mark.expect_speedup(threads=4, at_least=3)
def test_body(work, seconds):
    work(seconds)
"""
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.re_match_lines_random(
        [r".*::test_body\[.*free.*\] PASSED.*", r".*::test_body\[.*locked.*\] FAILED.*"]
    )
    text = text_of(result)
    assert "NOT MET test_suite.py::test_body[" in text
    assert "2 verdicts: 1 met, 1 not met" in text


def test_markers_of_class_and_method_add_up_and_equal_ones_count_once(suite: Suite) -> None:
    result = suite(
        """
@pytest.mark.expect_io_bound
@pytest.mark.expect_speedup(threads=4, at_least=2)
class TestAll:
    @pytest.mark.expect_io_bound
    def test_body(self):
        time.sleep(0.004)
"""
    )
    result.assert_outcomes(passed=2)
    assert "2 verdicts: 2 met" in text_of(result)


def test_a_marker_added_by_a_conftest_counts(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest

        def pytest_collection_modifyitems(items):
            items[0].add_marker(pytest.mark.expect_io_bound)
        """
    )
    result = suite(f"def test_body():\n    {WAIT}\n")
    result.assert_outcomes(passed=2)
    assert "1 verdict: 1 met" in text_of(result)


SKIPS = {
    "skip": '@pytest.mark.skip(reason="not today")',
    "skipif": '@pytest.mark.skipif(True, reason="not today")',
    "xfail without a run": '@pytest.mark.xfail(run=False, reason="not today")',
    "a hook of a conftest.py": "",
    "a fixture": '@pytest.mark.usefixtures("library")',
}


@pytest.mark.parametrize("how", SKIPS)
@pytest.mark.parametrize("marker", ["at_leest=3", 'executor="crawler", workers=4, at_least=3'], ids=["typo", "backend"])
def test_markers_of_a_skipped_test_are_not_read(suite: Suite, pytester: pytest.Pytester, how: str, marker: str) -> None:
    if how == "a hook of a conftest.py":
        pytester.makeconftest(
            """
            import pytest

            def pytest_runtest_setup(item):
                if item.name == "test_body":
                    pytest.skip("not today")
            """
        )
    result = suite(
        f"""
@pytest.fixture
def library():
    pytest.skip("not today")

{SKIPS[how]}
@pytest.mark.expect_speedup({marker})
def test_body():
    raise SystemExit
"""
    )
    xfailed = how.startswith("xfail")
    result.assert_outcomes(passed=1, skipped=int(not xfailed), xfailed=int(xfailed))
    assert "verdict" not in text_of(result)


def test_a_session_without_measured_tests_says_nothing(suite: Suite) -> None:
    result = suite("")
    result.assert_outcomes(passed=1)
    assert "concurrency ==" not in result.stdout.str()


def test_an_installed_plugin_is_found_without_being_asked_for(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    pytester.makepyfile("def test_any(concurrency, concurrency_worker): pass")
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_switched_off_it_leaves_marked_tests_alone(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_suite="""
        import pytest

        @pytest.mark.expect_io_bound
        def test_body():
            pass
        """
    )
    result = rerun(pytester, "-p", "no:concurrency_perf", "-W", "ignore::pytest.PytestUnknownMarkWarning")
    result.assert_outcomes(passed=1)
