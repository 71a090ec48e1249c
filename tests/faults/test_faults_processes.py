"""Worker processes that die, crash, fall silent or talk nonsense: one test pays, and is told how and where."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import sys

import psutil
import pytest
from conftest import (
    PROCESSES,
    REPORT,
    Suite,
    assert_next_measured,
    assert_one_pays,
    assert_other_passed,
    assert_outcome,
    body,
    next_body,
    text_of,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")
METHODS = [name for name in ("fork", "forkserver", "spawn") if name in multiprocessing.get_all_start_methods()]

# Sockets that the body has not opened are the plugin's pipes.
OPEN_SOCKETS = """
import resource, socket, stat

def sockets():
    for number in range(3, 256):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                yield number
        except OSError:
            pass

def take_all_memory():
    now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + (64 << 20), resource.RLIM_INFINITY))
    hoard = []
    while True:
        hoard.append(bytearray(1 << 20))
"""


def fault(statement: str) -> str:
    return OPEN_SOCKETS + body(PROCESSES, statement) + next_body(PROCESSES)


@pytest.fixture(autouse=True)
def _no_process_is_left() -> object:
    before = set(psutil.Process().children(recursive=True))
    yield
    left = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
            # multiprocessing's own two helpers serve the whole session.
            if process not in before and not re.search("forkserver|resource_tracker", " ".join(process.cmdline())):
                left.append(process)
    assert left == []


CRASH = "Try: look for the error in native code"
DEATHS = {
    "sigkill": ("os.kill(os.getpid(), signal.SIGKILL)", "was killed by SIGKILL", "Try: look for a memory limit"),
    "exit_7": ("os._exit(7)", "exited with status 7", "Try: look for os._exit"),
    "exit_0": ("os._exit(0)", "exited with status 0", "Try: look for os._exit"),
    "sigsegv": ("ctypes.string_at(0)", "was killed by SIGSEGV", CRASH),
    "sigabrt": ("os.abort()", "was killed by SIGABRT", CRASH),
    "closed": ("os.closerange(3, 256); time.sleep(60)", "closed its pipe", "in the body that closes file descriptors"),
    # What it leaves holds its end of the pipe open.
    "child": ("os.fork() or time.sleep(15); os._exit(3)", "exited with status 3", "Try: look for os._exit"),
}


@pytest.mark.parametrize("method", METHODS)
def test_workers_that_die(suite: Suite, pytester: pytest.Pytester, method: str) -> None:
    source = "import ctypes\n"
    for name, (statement, _, _) in DEATHS.items():
        source += body(PROCESSES, statement).replace("test_body", f"test_{name}")
    source += next_body(PROCESSES)
    result = suite(
        source,
        REPORT,
        f"--concurrency-start-method={method}",
        "--concurrency-max-time=2s",
        "-Wdefault",
        subprocess=True,
    )
    result.assert_outcomes(failed=len(DEATHS), passed=2)
    assert_other_passed(result)
    assert_next_measured(pytester)
    text = text_of(result)
    assert "bench.py" not in text, "the plugin's own code is shown"
    assert "Fatal Python error" not in text, "the crash is told in the middle of the session"
    assert "Traceback" not in text
    for name, (statement, how, look) in DEATHS.items():
        assert_outcome(result, f"test_{name}", "FAILED")
        _, _, told = text.partition(f"_ test_{name} _")
        told = told[: told.index("while measuring: warming up")]
        assert f"processes: worker 3 of 4 {how} while it ran the body" in told
        assert look in told
        if look is CRASH:
            assert f"in test_{name}: {statement}" in told, "the line that crashed is not told"


def test_no_memory_left(suite: Suite, pytester: pytest.Pytester) -> None:
    """The limit stays in force while the worker tells of it."""
    result = suite(fault("take_all_memory()"), REPORT, subprocess=True)
    text = assert_one_pays(result, pytester)
    assert "MemoryError" in text
    assert "while measuring: processes worker 3 of 4, warming up" in text
    assert "hoard.append(bytearray(1 << 20))" in text


@pytest.mark.parametrize(
    "garbage",
    ["b'garbage in the pipe'", "b'\\x00\\x00\\x00\\x05hello'", "b'\\x93pcp\\x00\\x00\\x00\\x05hello'", "b'\\x93pcq'"],
)
def test_garbage_in_the_pipe(suite: Suite, pytester: pytest.Pytester, garbage: str) -> None:
    result = suite(fault(f"[os.write(number, {garbage}) for number in sockets()]"), REPORT)
    text = assert_one_pays(result, pytester)
    assert "processes: worker 3 of 4 sent something that is not an answer. Cause: " in text
    assert "in the body that writes to file descriptors that it has not opened." in text


SILENT = {
    # What has begun like an answer and does not go on must not be waited for without an end.
    "half an answer": (
        "[os.write(number, b'\\x93pcp\\x00\\x00\\x10\\x00{') for number in sockets()]; time.sleep(60)",
        "time.sleep(60)",
    ),
    "stopped": ("os.kill(os.getpid(), signal.SIGSTOP)", "worker 3: stopped by a signal (SIGSTOP)"),
    # It comes when no one waits for it any more, and reaches no later batch.
    "too late": ("time.sleep(1.1)", "in test_body: time.sleep(1.1)"),
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("statement", "said"), SILENT.values(), ids=SILENT)
def test_a_worker_that_does_not_answer_in_time(
    suite: Suite, pytester: pytest.Pytester, statement: str, said: str
) -> None:
    result = suite(fault(statement), REPORT, "--concurrency-max-time=0.5s")
    text = assert_one_pays(result, pytester)
    assert "processes: 1 of 4 workers did not answer within" in text
    assert "worker 3: " in text
    assert said in text
    assert "while measuring: warming up" in text


def test_a_worker_that_dies_in_a_later_round(suite: Suite, pytester: pytest.Pytester) -> None:
    """The message says in which round: a leak kills late."""
    number = pytester.path / "calls"
    result = suite(
        fault(
            f"open({str(number)!r}, 'a').write('.'); "
            f"os.path.getsize({str(number)!r}) > 4 and os.kill(os.getpid(), signal.SIGKILL)"
        ),
        REPORT,
        "--concurrency-max-time=20s",
    )
    assert_one_pays(result, pytester)
    result.stdout.re_match_lines_random([r"while measuring: round \d+"])


def test_a_worker_that_dies_while_it_waits(suite: Suite, pytester: pytest.Pytester) -> None:
    later = "threading.Timer(0.02, os._exit, [5]).start()"
    result = suite(fault(later), REPORT)
    # The worker that ran all four calls in turn, for the serial time, may be the one that ends.
    assert re.search(
        r"processes: worker (3 of 4|1 of 1) exited with status 5 while it", assert_one_pays(result, pytester)
    )


def test_the_server_that_forks_is_killed(suite: Suite, pytester: pytest.Pytester) -> None:
    if "forkserver" not in METHODS:
        pytest.skip("this platform has no forkserver")
    result = suite(
        fault("os.kill(os.getppid(), signal.SIGKILL); time.sleep(0.1); os._exit(1)"),
        REPORT,
        "--concurrency-start-method=forkserver",
        subprocess=True,
    )
    assert_one_pays(result, pytester)


def test_the_limit_of_processes_is_reached(suite: Suite, pytester: pytest.Pytester) -> None:
    """Root has no such limit: os.fork says what the system would say."""
    if os.name != "posix" or "fork" not in METHODS:
        pytest.skip("this platform has no fork")
    result = suite(
        """
@pytest.fixture
def crowded(monkeypatch):
    fork, calls = os.fork, []
    def limited():
        calls.append(1)
        if len(calls) == 3:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return fork()
    monkeypatch.setattr(os, "fork", limited)

@pytest.mark.usefixtures("crowded")
@pytest.mark.expect_speedup(processes=4, at_least=2)
def test_body():
    time.sleep(0.004)
"""
        + next_body(PROCESSES),
        REPORT,
        "--concurrency-start-method=fork",
        subprocess=True,
    )
    text = assert_one_pays(result, pytester)
    assert "processes: worker 3 of 4 could not be started. Cause: BlockingIOError: [Errno 11]" in text
    assert "raise the limit of processes and threads (ulimit -u)" in text
