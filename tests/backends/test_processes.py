"""How worker processes are started, and what can and cannot be sent to them."""

from __future__ import annotations

import json
import multiprocessing
import sys

import pytest
from conftest import IMPORTS, REPORT, Suite, assert_other_passed, rerun, text_of

from pytest_concurrency.backends import start_methods
from pytest_concurrency.core.addresses import about

METHODS = ("fork", "forkserver", "spawn")

BACKGROUND = """
@pytest.fixture
def background():
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    yield
    stop.set()
    thread.join()
"""
BESIDE = """
import time
import pytest
import helper

@pytest.mark.expect_speedup(processes=2, at_least=1.2, undecided="pass")
def test_imports_modules_in_its_folder():
    time.sleep(helper.SECONDS)
"""


@pytest.mark.parametrize("method", METHODS)
def test_helper_module_in_the_folder_of_the_test(suite: Suite, pytester: pytest.Pytester, method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this platform has no {method}")
    pytester.makepyfile(helper="SECONDS = 0.004\n", test_suite=BESIDE)
    result = rerun(pytester, f"--concurrency-start-method={method}", subprocess=True)
    result.assert_outcomes(passed=1)


def test_auto_says_what_it_took_and_why(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(
        """
@pytest.mark.expect_speedup(processes=2, at_least=1.2, undecided="pass")
def test_body():
    time.sleep(0.004)
""",
        REPORT,
        subprocess=True,
    ).assert_outcomes(passed=2)
    (record,) = json.loads((pytester.path / "out.json").read_text())["records"]
    (note,) = {arm["note"] for arm in record["arms"]}
    method, _, why = note.removeprefix("start method ").partition(": ")
    assert method in METHODS
    assert why


def test_auto_does_not_fork_a_process_with_threads(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(
        BACKGROUND
        + """
@pytest.mark.usefixtures("background")
@pytest.mark.expect_speedup(processes=2, at_least=1.2, undecided="pass")
def test_body():
    time.sleep(0.004)
""",
        REPORT,
        "-W",
        "error",
        subprocess=True,
    ).assert_outcomes(passed=2)
    (record,) = json.loads((pytester.path / "out.json").read_text())["records"]
    assert all("start method fork:" not in arm["note"] for arm in record["arms"])


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this platform has no fork")
def test_a_thread_that_was_joined_is_no_reason_not_to_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system takes a moment to end it: workers of another expectation have just been closed."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(start_methods.threading, "active_count", lambda: 1)
    for counts, method in (([3, 2, 1], "fork"), ([2] * 100, "forkserver")):
        seen = iter(counts)
        monkeypatch.setattr(start_methods, "_threads_alive", lambda seen=seen: next(seen))
        assert start_methods.choose_start_method("auto")[0] == method


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this platform has no fork")
def test_fork_with_running_threads_is_done_on_request(suite: Suite, pytester: pytest.Pytester) -> None:
    """Python 3.12 and newer warn of it; the record says it, and no one has to read it in each summary."""
    result = suite(
        BACKGROUND
        + """
@pytest.mark.usefixtures("background")
@pytest.mark.expect_speedup(processes=2, at_least=1.2, max_time="1us", undecided="pass")
def test_body():
    time.sleep(0.004)
""",
        "--concurrency-start-method=fork",
        REPORT,
        "-Wdefault",
        subprocess=True,
    )
    result.assert_outcomes(passed=2)
    assert "multi-threaded" not in text_of(result)
    (record,) = json.loads((pytester.path / "out.json").read_text())["records"]
    assert all("fork: asked for, though the test process has 2 threads" in arm["note"] for arm in record["arms"])


LOCKED = """
@pytest.fixture
def url():
    return "http://localhost"

@pytest.fixture
def connection():
    return threading.Lock()

@pytest.mark.expect_speedup(processes=2, at_least=1.5)
def test_body(url, connection):
    time.sleep(0.004)
"""


def test_a_fixture_value_that_cannot_be_pickled_is_named(suite: Suite) -> None:
    result = suite(LOCKED, "--concurrency-start-method=spawn")
    result.assert_outcomes(failed=1, passed=1)
    assert_other_passed(result)
    text = text_of(result)
    assert "fixture 'connection' (a lock) cannot be sent to a worker process" in text
    assert "fixture 'url'" not in text
    assert "Try: make the value inside the body" in text
    assert "--concurrency-start-method=fork" in text
    assert "processes.py" not in text, "the plugin's own code is shown"


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this platform has no fork")
def test_under_fork_nothing_has_to_be_pickled(suite: Suite) -> None:
    result = suite(LOCKED.replace("at_least=1.5", "at_least=1.2"), "--concurrency-start-method=fork", subprocess=True)
    result.assert_outcomes(passed=2)


def test_a_not_met_verdict_says_how_processes_were_started(suite: Suite) -> None:
    result = suite(
        """
@pytest.mark.expect_speedup(processes=2, at_most=1)
def test_body():
    time.sleep(0.01)
""",
        "--concurrency-start-method=spawn",
        subprocess=True,
    )
    result.assert_outcomes(failed=1, passed=1)
    assert "Workers: start method spawn: asked for." in text_of(result)


def test_the_end_of_a_pipe_is_not_sent_as_a_number(suite: Suite) -> None:
    """The worker would take another file of its own for it, and close that."""
    result = suite(
        LOCKED.replace("threading.Lock()", "__import__('multiprocessing').Pipe()[0]"),
        "--concurrency-start-method=spawn",
        subprocess=True,
    )
    result.assert_outcomes(failed=1, passed=1)
    text = text_of(result)
    assert "fixture 'connection' (a Connection) cannot be sent to a worker process" in text
    assert "Bad file descriptor" not in text + result.stderr.str()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this platform has no fork")
@pytest.mark.parametrize(("method", "outcome"), [("auto", "skipped"), ("fork", "passed")])
def test_a_lock_that_only_forked_processes_share(suite: Suite, method: str, outcome: str) -> None:
    """Each worker that imports the module would have a lock of its own, and nothing to wait for."""
    result = suite(
        BACKGROUND
        + """
import multiprocessing

LOCK = multiprocessing.get_context("fork").Lock()

@pytest.mark.usefixtures("background")
@pytest.mark.expect_speedup(processes=4, at_most=1.5)
def test_body():
    with LOCK:
        time.sleep(0.01)
""",
        f"--concurrency-start-method={method}",
        subprocess=True,
    )
    counts = {"passed": 1}
    counts[outcome] = counts.get(outcome, 0) + 1
    result.assert_outcomes(**counts)
    said = "test_body uses LOCK (multiprocessing.synchronize.Lock), which only forked processes share"
    assert (said in text_of(result)) == (outcome == "skipped")


@pytest.mark.parametrize(
    ("call", "named"),
    [
        ("concurrency.speedup(time.sleep, threading.Lock(), processes=2)", "argument 1 (a lock) cannot be sent"),
        ("concurrency.speedup(lambda: LOCAL.locked(), processes=2)", "<lambda>() cannot be sent"),
    ],
)
def test_what_else_cannot_be_pickled_is_named_at_the_tests_line(suite: Suite, call: str, named: str) -> None:
    result = suite(
        f"def test_body(concurrency):\n    LOCAL = threading.Lock()\n    assert {call} >= 1.5\n",
        "--concurrency-start-method=spawn",
    )
    result.assert_outcomes(failed=1, passed=1)
    assert_other_passed(result)
    assert f"{named} to a worker process." in text_of(result)
    assert f"> assert {call} >= 1.5" in text_of(result)


def test_a_body_that_a_worker_cannot_load(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_suite=IMPORTS
        + """
import multiprocessing
if multiprocessing.parent_process() is not None:
    raise ImportError("not in a worker")

@pytest.mark.expect_speedup(processes=2, at_least=1.5)
def test_body():
    time.sleep(0.004)

def test_other():
    pass
"""
    )
    result = rerun(pytester, "--concurrency-start-method=spawn", subprocess=True)
    result.assert_outcomes(failed=1, passed=1)
    assert_other_passed(result)
    text = text_of(result)
    assert "worker process 1 could not load test_body" in text
    assert "Cause: ImportError: not in a worker. Where: test_suite.py:" in text
    assert "Workers: start method spawn" in text
    assert f"More: {about('not-picklable')}" in text


@pytest.mark.parametrize("method", METHODS)
def test_what_a_body_prints_does_not_reach_the_pipes(suite: Suite, method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this platform has no {method}")
    result = suite(
        """
@pytest.mark.expect_speedup(processes=2, at_least=1.2, undecided="pass")
def test_body():
    print("from the body")
    os.write(1, b"from below")
    time.sleep(0.004)
""",
        f"--concurrency-start-method={method}",
        subprocess=True,
    )
    result.assert_outcomes(passed=2)


def test_body_that_needs_a_main_thread_runs_in_no_thread_of_the_session(suite: Suite) -> None:
    """What holds the GIL is asked of threads only; here such a thread would raise."""
    result = suite(
        """
@pytest.mark.expect_speedup(processes=2, at_least=1.2, undecided="pass", max_time=2)
def test_body():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sum(number * number for number in range(100_000))
""",
        "--concurrency-start-method=fork",
    )
    assert "main thread" not in text_of(result)
    assert_other_passed(result)


def test_body_may_end_a_program_of_its_own_with_an_interrupt(suite: Suite) -> None:
    """The workers ignore the signal, and what they start must not."""
    suite(
        """
import signal
import subprocess
import sys

@pytest.mark.expect_speedup(processes=2, at_least=1.1, undecided="pass", max_time="2s")
def test_body():
    # One long sleep could begin just after the signal, and Python would handle it only after the sleep.
    code = "import time; print(flush=True); [time.sleep(0.05) for _ in range(1000)]"
    program = subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    program.stdout.readline()
    program.send_signal(signal.SIGINT)
    assert program.wait(30) != 0
    program.stdout.close()
"""
    ).assert_outcomes(passed=2)
