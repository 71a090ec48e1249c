"""``interpreters=``: for real on 3.14 and later, and told as impossible before."""

from __future__ import annotations

import sys

import pytest
from conftest import ALONE, text_of

HAVE = sys.version_info >= (3, 14)
needs_interpreters = pytest.mark.skipif(not HAVE, reason="subinterpreters need Python 3.14")

SUITE = """
    import time
    import pytest
    from helper import count_down

    @pytest.fixture
    def size():
        return 100_000

    @pytest.mark.expect_speedup(interpreters=2, at_least=1.4)
    def test_computes(size):
        count_down(size)

    @pytest.mark.expect_speedup(interpreters=4, at_least=3)
    def test_waits():
        time.sleep(0.01)

    @pytest.mark.expect_scaling(interpreters=(1, 2), efficiency=0.7)
    def test_scales():
        time.sleep(0.01)

    def test_fixture(concurrency):
        wait = 0.01
        assert concurrency.speedup(lambda: time.sleep(wait), interpreters=2) >= 1.6
"""
HELPER = """
    def count_down(n):
        while n:
            n -= 1
"""


@pytest.mark.skipif(HAVE, reason="this Python has subinterpreters")
def test_before_3_14_it_is_unmeasurable_and_says_what_is_needed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.expect_speedup(interpreters=2, at_least=1.5)
        def test_it():
            pass
        """
    )
    result = pytester.runpytest(*ALONE, "-rs")
    result.assert_outcomes(skipped=1)
    text = text_of(result)
    assert "unmeasurable: subinterpreters need Python 3.14 or later, and this is 3." in text
    assert "Try: run it on Python 3.14 or later, or measure with processes= instead. More: https://" in text
    assert "lower what it requires" not in text


@needs_interpreters
def test_bodies_of_all_kinds_run_in_parallel(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(helper=HELPER, test_suite=SUITE)
    result = pytester.runpytest_subprocess(*ALONE, "--concurrency-max-time=20s")
    outcomes = result.parseoutcomes()
    assert outcomes.get("failed", 0) == 0
    assert outcomes.get("passed", 0) >= 3  # a busy machine may leave the computing undecided


@needs_interpreters
def test_a_loss_is_found(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import fcntl, time
        import pytest

        @pytest.mark.expect_speedup(interpreters=4, at_least=3)
        def test_it(tmp_path):
            with open(tmp_path / "lock", "w") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                time.sleep(0.01)
        """
    )
    result = pytester.runpytest_subprocess(*ALONE)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*4 interpreters were *x as*")


@needs_interpreters
def test_the_bodys_own_exception_keeps_its_meaning(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.expect_speedup(interpreters=2, at_least=1.5)
        def test_raises(concurrency_worker):
            if concurrency_worker.backend == "interpreters":
                raise ValueError("from inside")

        @pytest.mark.expect_speedup(interpreters=2, at_least=1.5)
        def test_skips(concurrency_worker):
            if concurrency_worker.backend == "interpreters":
                pytest.skip("not here")
        """
    )
    result = pytester.runpytest_subprocess(*ALONE, "-rs")
    result.assert_outcomes(failed=1, skipped=1)
    result.stdout.fnmatch_lines(["*ValueError: from inside*", "*not here*"])
    result.stdout.fnmatch_lines("*interpreters worker * of 2*")


@needs_interpreters
def test_a_module_that_refuses_to_load_there_is_named(pytester: pytest.Pytester) -> None:
    pytest.importorskip("_testsinglephase")
    pytester.makepyfile(
        """
        import _testsinglephase
        import pytest

        @pytest.mark.expect_speedup(interpreters=2, at_least=1.5)
        def test_it():
            _testsinglephase.sum(1, 2)
        """
    )
    result = pytester.runpytest_subprocess(*ALONE, "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines("*unmeasurable: *_testsinglephase does not support loading in subinterpreters*")


@needs_interpreters
def test_warnings_are_treated_as_in_the_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import warnings
        import pytest

        @pytest.mark.filterwarnings("error:in the interpreter")
        @pytest.mark.expect_speedup(interpreters=2, at_least=1.5)
        def test_it(concurrency_worker):
            if concurrency_worker.backend == "interpreters":
                warnings.warn("in the interpreter")
        """
    )
    result = pytester.runpytest_subprocess(*ALONE)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*UserWarning: in the interpreter*")


@needs_interpreters
def test_a_body_that_closes_the_pipe_of_its_worker(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import gc
        from multiprocessing.connection import Connection
        import pytest

        @pytest.mark.expect_speedup(interpreters=2, at_least=1.5)
        def test_it(concurrency_worker):
            if concurrency_worker.index == 1:
                for each in gc.get_objects():
                    if isinstance(each, Connection):
                        each.close()

        def test_afterwards():
            pass
        """
    )
    result = pytester.runpytest_subprocess(*ALONE)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines("*interpreters: worker 2 of 2 ended while it ran the body*")


@needs_interpreters
def test_nothing_is_left_behind(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os, threading, time
        from concurrent import interpreters
        import pytest

        def test_once(concurrency):
            concurrency.speedup(time.sleep, 0.004, interpreters=2)

        LEFT = {}

        def test_before():
            LEFT["before"] = len(os.listdir("/proc/self/fd"))

        @pytest.mark.parametrize("number", range(5))
        def test_more(concurrency, number):
            concurrency.speedup(time.sleep, 0.004, interpreters=2)

        def test_after():
            assert len(os.listdir("/proc/self/fd")) <= LEFT["before"]
            assert threading.active_count() == 1
            assert len(interpreters.list_all()) == 1
        """
    )
    result = pytester.runpytest_subprocess(*ALONE, "--concurrency-undecided=pass")
    result.assert_outcomes(passed=8)
