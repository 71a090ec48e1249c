"""Bodies that raise, stop, hang or die, somewhere and sometimes: one test pays, and is told where."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from conftest import (
    ALONE,
    BACKENDS,
    IMPORTS,
    IN_WORKER,
    OTHER,
    Backend,
    Suite,
    assert_other_passed,
    assert_outcome,
    body,
    text_of,
)

from pytest_concurrency.core.addresses import about
from pytest_concurrency.measurement.worker_bench import WorkerBench

# -- in the first, plain call, before anything is measured


@pytest.mark.parametrize(
    ("statement", "outcome", "said"),
    [
        ("raise KeyError('boom')", "FAILED", "E KeyError: 'boom'"),
        ("assert [1] == [2]", "FAILED", "assert [1] == [2]"),
        ("pytest.fail('boom')", "FAILED", "E Failed: boom"),
        ("pytest.skip('boom')", "SKIPPED", "SKIPPED [1] test_suite.py:5: boom"),
        ("pytest.xfail('boom')", "XFAIL", "XFAIL test_suite.py::test_body"),
        ("sys.exit(3)", "FAILED", "E SystemExit: 3"),
        ("warnings.warn('boom', DeprecationWarning)", "FAILED", "E DeprecationWarning: boom"),
    ],
)
def test_a_body_that_ends_otherwise_ends_as_in_a_plain_test(
    suite: Suite, statement: str, outcome: str, said: str
) -> None:
    result = suite(
        f"""
@pytest.mark.expect_io_bound
def test_body():
    {statement}
""".lstrip(),
        "-rsx",
        "-W",
        "error::DeprecationWarning",
    )
    assert_outcome(result, "test_body", outcome)
    assert_other_passed(result)
    text = text_of(result)
    assert said in text
    if outcome == "FAILED":
        assert f"> {statement}" in text
    assert "while measuring" not in text
    assert "verdict" not in text


# -- in a worker only


def test_an_exception_in_a_worker_keeps_type_and_traceback(suite: Suite, backend: Backend) -> None:
    result = suite(body(backend, "raise KeyError('boom')"))
    result.assert_outcomes(failed=1, passed=1)
    assert_other_passed(result)
    text = text_of(result)
    assert "KeyError: 'boom'" in text
    assert "raise KeyError('boom')" in text, "the line is not shown"
    assert f"while measuring: {backend.name} worker 3 of 4, warming up" in text
    assert "bench.py" not in text, "the plugin's own code is shown"
    assert "process_main.py" not in text


def test_an_exception_in_the_third_round_says_so(
    suite: Suite, backend: Backend, monkeypatch: pytest.MonkeyPatch, pytester: pytest.Pytester
) -> None:
    number = pytester.path / "round.txt"
    number.write_text("0")
    measure = WorkerBench.round

    def counted(self: WorkerBench, setup: object) -> object:
        number.write_text(str(int(number.read_text()) + 1))
        return measure(self, setup)  # type: ignore[arg-type]

    monkeypatch.setattr(WorkerBench, "round", counted)
    result = suite(
        body(backend, "raise KeyError('boom')", f"pathlib.Path({str(number)!r}).read_text() == '3' and " + IN_WORKER)
    )
    result.assert_outcomes(failed=1, passed=1)
    assert_other_passed(result)
    text = text_of(result)
    assert "KeyError: 'boom'" in text
    assert f"while measuring: {backend.name} worker 3 of 4, round 3" in text


@pytest.mark.parametrize(
    ("statement", "outcome", "said"),
    [
        ("pytest.fail('boom')", "FAILED", "Failed: boom"),
        ("pytest.skip('boom')", "SKIPPED", "boom"),
        ("pytest.xfail('boom')", "XFAIL", "boom"),
        ("sys.exit(3)", "FAILED", "SystemExit: 3"),
        ("assert [1] == [2]", "FAILED", "assert [1] == [2]"),
    ],
)
def test_pytests_outcomes_keep_their_meaning_in_a_worker(
    suite: Suite, backend: Backend, statement: str, outcome: str, said: str
) -> None:
    result = suite(body(backend, statement), "-rsx")
    assert_outcome(result, "test_body", outcome)
    assert_other_passed(result)
    text = text_of(result)
    assert said in text
    if outcome == "FAILED":
        assert f"while measuring: {backend.name} worker 3 of 4" in text


def test_a_warning_turned_into_an_error_in_a_worker(suite: Suite, backend: Backend) -> None:
    strict = "@pytest.mark.filterwarnings('error')"
    result = suite(body(backend, "warnings.warn('boom', UserWarning)", decorators=strict))
    result.assert_outcomes(failed=1, passed=1)
    assert_other_passed(result)
    text = text_of(result)
    assert "UserWarning: boom" in text
    assert f"while measuring: {backend.name} worker 3 of 4" in text


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_a_new_process_treats_warnings_as_the_test_does(suite: Suite, method: str) -> None:
    result = suite(
        body(BACKENDS[1], "warnings.warn('boom', UserWarning)", decorators="@pytest.mark.filterwarnings('error')"),
        f"--concurrency-start-method={method}",
    )
    assert_outcome(result, "test_body", "FAILED")
    assert "UserWarning: boom" in text_of(result)


def test_an_exception_that_cannot_be_pickled_is_still_reported(suite: Suite) -> None:
    result = suite(
        """
class Picky(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")
        self.lock = threading.Lock()

@pytest.mark.expect_speedup(processes=2, at_least=1.5)
def test_body(concurrency_worker):
    if concurrency_worker.backend == "processes":
        raise Picky("this", "that")
"""
    )
    result.assert_outcomes(failed=1, passed=1)
    text = text_of(result)
    assert "Picky: this and that" in text
    assert 'raise Picky("this", "that")' in text
    assert "while measuring: processes worker 1 of 2" in text


# -- hanging


@pytest.mark.usefixtures("impatient")
def test_a_body_that_hangs_in_one_backend_only(suite: Suite, backend: Backend) -> None:
    # In small steps: a thread can be ended between them, so that the test leaves none behind.
    hang = "while True: " + backend.wait.format(0.01)
    result = suite(body(backend, hang), "--concurrency-max-time=0.5s")
    result.assert_outcomes(failed=1, passed=1)
    assert_outcome(result, "test_body", "FAILED")
    assert_other_passed(result)
    text = text_of(result)
    assert f"{backend.name}: 1 of 4 workers did not answer within 500 ms. Cause: " in text
    assert "workers 1, 2, 4: finished" in text
    assert f"More: {about('hung-workers')}" in text
    result.stdout.re_match_lines_random([rf".*worker 3: .*test_suite\.py:\d+ in test_body: .*{'while True'}.*"])
    assert "bench.py" not in text, "the plugin's own code is shown"


@pytest.mark.usefixtures("impatient")
def test_waiting_in_a_library_is_reported_at_the_tests_own_line(suite: Suite) -> None:
    result = suite(
        """
ANSWER = threading.Event()

@pytest.mark.expect_speedup(threads=2, at_least=1.5)
def test_body(concurrency_worker):
    if concurrency_worker.backend == "threads":
        ANSWER.wait(2)
""",
        "--concurrency-max-time=0.5s",
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.re_match_lines_random([r".*workers 1, 2: .*test_suite\.py:\d+ in test_body: ANSWER\.wait\(2\)"])


@pytest.mark.usefixtures("impatient")
def test_a_blocking_call_that_hangs_the_event_loop(suite: Suite) -> None:
    tasks = Backend("tasks", "async def", "await asyncio.sleep({})")
    result = suite(body(tasks, "while True: time.sleep(0.01)"), "--concurrency-max-time=0.5s")
    result.assert_outcomes(failed=1, passed=1)
    assert_other_passed(result)
    result.stdout.re_match_lines_random([r".*worker 3: .*test_suite\.py:\d+ in test_body: while True.*"])


# -- Ctrl-C


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent to a process group")
def test_ctrl_c_leaves_nothing_behind_and_still_prints_the_summary(pytester: pytest.Pytester, backend: Backend) -> None:
    reached = pytester.path / "reached"
    pytester.makeconftest(
        """
        import signal, threading

        # A parent that was started in the background has it ignored, and children inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)

        def pytest_unconfigure():
            left = [t.name for t in threading.enumerate() if t.name.startswith("concurrency-")]
            print("threads left:", left)
        """
    )
    pytester.makepyfile(
        test_suite=IMPORTS
        + """
@pytest.mark.expect_io_bound(max_time="1us")
def test_before():
    time.sleep(0.004)
"""
        + body(backend, f"pathlib.Path({str(reached)!r}).touch()\n        while True: {backend.wait.format(0.01)}")
        + OTHER
    )
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *ALONE, "-v", "-rs"],
        cwd=pytester.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as session:
        try:
            _wait_for(reached)
            os.killpg(session.pid, signal.SIGINT)  # as a terminal does: to the workers too
            output, _ = session.communicate(timeout=60)
        finally:
            left = _of_group(session.pid, but=session.pid if session.poll() is None else None)
            for process in left:
                process.kill()
            if session.poll() is None:
                session.kill()
    assert session.returncode == pytest.ExitCode.INTERRUPTED, output
    assert "threads left: []" in output
    assert left == [], output
    assert "KeyboardInterrupt" in output
    assert "1 verdict: 1 undecided" in output
    assert "test_other" not in output
    assert "INTERNALERROR" not in output


def _wait_for(path: Path) -> None:
    limit = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < limit, f"{path.name} never came"
        time.sleep(0.02)


def _of_group(group: int, but: int | None) -> list[psutil.Process]:
    """The living processes of a session that has ended; its own reaper gets a moment for the last ones."""
    for _ in range(100):
        found = []
        for process in psutil.process_iter():
            try:
                if os.getpgid(process.pid) == group and process.pid != but and process.status() != "zombie":
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        if not found:
            break
        time.sleep(0.05)
    return found
