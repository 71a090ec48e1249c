"""A machine that is short of something: files, /proc, shared memory, a writable folder, clocks."""

from __future__ import annotations

import functools
import re
import shlex
import shutil
import subprocess
import sys

import pytest
from conftest import (
    ALONE,
    BACKENDS,
    IMPORTS,
    OTHER,
    PROCESSES,
    REPORT,
    TASKS,
    THREADS,
    Suite,
    assert_next_measured,
    assert_one_pays,
    assert_other_passed,
    assert_outcome,
    next_body,
    records_of,
    text_of,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits and mounts of POSIX")
EVERY = "".join(
    next_body(backend).replace("test_next", f"test_{backend.name}")
    + f"""
@pytest.mark.expect_speedup({backend.name}=4, at_least=2, max_time="1s", undecided="pass")
{backend.define} test_{backend.name}_verdict():
    {backend.wait.format(0.02)}
"""
    for backend in BACKENDS
)


@functools.cache
def _namespaces() -> bool:
    """Whether mounts of our own can be made here: as root, or where users may have namespaces."""
    if shutil.which("unshare") is None:
        return False
    return (
        subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode == 0
    )


def among_mounts(pytester: pytest.Pytester, mounts: str, source: str, *options: str) -> pytest.RunResult:
    """Run a suite where other things are mounted; no one else sees them."""
    if not _namespaces():
        pytest.skip("mounts need root, or user namespaces")
    pytester.makepyfile(test_suite=IMPORTS + source + OTHER)
    session = shlex.join([sys.executable, "-m", "pytest", *ALONE, "-v", "-rs", *options])
    return pytester.run("unshare", "-m", "sh", "-c", f"{mounts}\n{session}")


def assert_every_backend_was_measured(pytester: pytest.Pytester, result: pytest.RunResult) -> None:
    for backend in BACKENDS:
        assert_outcome(result, f"test_{backend.name}", "PASSED")
        (expectation,) = records_of(pytester)[f"test_{backend.name}"]["expectations"]
        assert expectation["rounds"] >= 2
    text = text_of(result)
    assert "INTERNALERROR" not in text
    assert "Traceback" not in text


# -- file descriptors


FEW_FILES = """
import resource

@pytest.fixture
def few_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(map(int, os.listdir("/dev/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + {more}, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

@pytest.mark.usefixtures("few_files")
@pytest.mark.expect_speedup({backend}=8, at_least=1.2, max_time="1us", undecided="pass")
{define} test_body():
    {wait}
"""


@pytest.mark.parametrize("more", [1, 2, 4, 7, 12])
def test_processes_without_file_descriptors(suite: Suite, pytester: pytest.Pytester, more: int) -> None:
    source = FEW_FILES.format(more=more, backend="processes", define="def", wait="time.sleep(0.004)")
    result = suite(source + next_body(PROCESSES), REPORT, "--concurrency-start-method=fork", subprocess=True)
    text = assert_one_pays(result, pytester)
    assert "processes: worker " in text
    assert "of 8 could not be started. Cause: OSError: [Errno 24] Too many open files" in text
    assert "Try: raise the limit of open files (ulimit -n)" in text
    assert "Workers: start method fork: asked for." in text
    assert "processes.py" not in text, "the plugin's own code is shown"


def test_processes_of_a_server_without_file_descriptors(suite: Suite, pytester: pytest.Pytester) -> None:
    source = FEW_FILES.format(more=9, backend="processes", define="def", wait="time.sleep(0.004)")
    result = suite(source + next_body(PROCESSES), REPORT, "--concurrency-start-method=forkserver", subprocess=True)
    text = assert_one_pays(result, pytester)
    assert "could not be started. Cause: " in text
    assert "Workers: start method forkserver: asked for." in text


def test_an_event_loop_without_file_descriptors(suite: Suite, pytester: pytest.Pytester) -> None:
    source = FEW_FILES.format(more=2, backend="tasks", define="async def", wait="await asyncio.sleep(0.004)")
    result = suite(source + next_body(TASKS), REPORT, subprocess=True)
    text = assert_one_pays(result, pytester)
    assert "tasks: the event loop could not be made. Cause: OSError: [Errno 24] Too many open files" in text
    assert "tasks.py" not in text
    assert "BaseEventLoop.__del__" not in text


@pytest.mark.parametrize("more", [1, 3])
def test_threads_without_file_descriptors_are_measured_all_the_same(
    suite: Suite, pytester: pytest.Pytester, more: int
) -> None:
    """They know less of what the machine did meanwhile; the body itself needs no file."""
    source = FEW_FILES.format(more=more, backend="threads", define="def", wait="time.sleep(0.004)")
    result = suite(source + next_body(THREADS), REPORT, subprocess=True)
    result.assert_outcomes(passed=3)
    assert_next_measured(pytester)
    assert records_of(pytester)["test_body"]["expectations"][0]["rounds"] >= 2


def test_a_body_that_takes_all_file_descriptors(suite: Suite, pytester: pytest.Pytester) -> None:
    source = """
@pytest.mark.usefixtures("few_files")
@pytest.mark.expect_speedup(threads=4, at_least=2)
def test_body(concurrency_worker):
    time.sleep(0.004)
    if concurrency_worker.backend == "threads" and concurrency_worker.index == 2:
        hoard = []
        while True:
            hoard.append(open(os.devnull))
"""
    fixture = FEW_FILES.format(more=12, backend="threads", define="def", wait="pass").partition("@pytest.mark.usef")[0]
    result = suite(fixture + source + next_body(THREADS), REPORT, subprocess=True)
    text = assert_one_pays(result, pytester)
    assert "OSError: [Errno 24] Too many open files" in text
    assert "while measuring: threads worker 3 of 4, warming up" in text


# -- what Linux tells


def test_no_proc(pytester: pytest.Pytester) -> None:
    result = among_mounts(pytester, "mount -t tmpfs none /proc", EVERY, REPORT)
    assert_every_backend_was_measured(pytester, result)
    assert_other_passed(result)
    run = (pytester.path / "out.json").read_text()
    assert "run delay needs Linux with /proc/thread-self/schedstat" in run
    assert "foreign load cannot be read" in run
    for record in records_of(pytester).values():
        assert all(arm["delay"] is None for arm in record["arms"])
        assert record["expectations"][0]["verdict"] in ("met", "undecided")


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_no_proc_in_new_processes(pytester: pytest.Pytester, method: str) -> None:
    result = among_mounts(
        pytester, "mount -t tmpfs none /proc", EVERY, REPORT, f"--concurrency-start-method={method}", "-k", "processes"
    )
    assert_outcome(result, "test_processes", "PASSED")
    assert "Traceback" not in text_of(result)


def test_no_scheduler_statistics(suite: Suite, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_CONCURRENCY_NO_RUN_DELAY", "1")
    result = suite(EVERY, REPORT, subprocess=True)
    assert_every_backend_was_measured(pytester, result)
    assert "run delay is switched off by PYTEST_CONCURRENCY_NO_RUN_DELAY" in (pytester.path / "out.json").read_text()


@pytest.mark.parametrize("how", ['sys.modules["psutil"] = None', "sys.meta_path.insert(0, Without())"])
def test_without_psutil(suite: Suite, pytester: pytest.Pytester, how: str) -> None:
    """It is a dependency, but free-threaded builds and some platforms have no wheel of it."""
    pytester.makepyfile(
        no_psutil=f"""
        import sys

        class Without:
            def find_spec(self, name, path=None, target=None):
                if name == "psutil":
                    raise ImportError("no wheel for this platform")

        {how}
        """
    )
    source = """
def test_asking(concurrency):
    assert concurrency.compare(lambda: time.sleep(0.01), lambda: time.sleep(0.001)) > 2

@pytest.mark.expect_speedup(processes=2, at_least=1.2)
def test_killed(concurrency_worker):
    if concurrency_worker.backend == "processes" and concurrency_worker.index == 1:
        os.kill(os.getpid(), signal.SIGKILL)
"""
    result = suite(EVERY + source, "-p", "no_psutil", REPORT, "--concurrency-report", subprocess=True)
    outcomes = result.parseoutcomes()
    assert outcomes.pop("skipped", 0) <= 1  # "asking" has a policy of its own
    assert_outcome(result, "test_killed", "FAILED")
    assert_other_passed(result)
    for name, record in records_of(pytester).items():
        assert record["expectations"][0]["verdict"] in ("met", "undecided"), name
        assert record["interference"] == {"foreign": None, "steal": None, "throttled": None}
    assert {f"test_{backend.name}_verdict" for backend in BACKENDS} <= set(records_of(pytester))
    text = text_of(result)
    assert "not readable on this machine: foreign load needs psutil, which cannot be imported" in text
    assert "processes: worker 2 of 2 was killed by SIGKILL while it ran the body" in text
    assert "Traceback" not in text


NO_THREAD_TIME = """
from importlib.machinery import BuiltinImporter

class Without(BuiltinImporter):
    @staticmethod
    def exec_module(module):
        BuiltinImporter.exec_module(module)
        del module.thread_time

import importlib.machinery
importlib.machinery.BuiltinImporter = Without
"""


def test_no_clock_for_a_threads_computing(suite: Suite, pytester: pytest.Pytester) -> None:
    """Nothing can be told then, and that is what is told."""
    pytester.makepyfile(no_thread_time=NO_THREAD_TIME)
    source = """
def test_asking(concurrency):
    assert concurrency.compare(lambda: time.sleep(0.01), lambda: time.sleep(0.001)) > 2
"""
    result = suite(EVERY + source, "-p", "no_thread_time", "-rs", "-p", "no:threadexception", subprocess=True)
    result.assert_outcomes(skipped=6, passed=2)
    assert_other_passed(result)
    text = text_of(result)
    assert "unmeasurable: this Python has no time.thread_time()" in text
    assert "INTERNALERROR" not in text


# -- folders


def test_shared_memory_is_full(pytester: pytest.Pytester) -> None:
    full = "mount -t tmpfs -o size=4k none /dev/shm; cat /dev/zero > /dev/shm/full 2>/dev/null"
    result = among_mounts(pytester, full, EVERY, REPORT, "--concurrency-start-method=spawn")
    assert_every_backend_was_measured(pytester, result)
    assert_other_passed(result)


# What is to be kept is at /mnt then.
READ_ONLY = """
mount --bind . /mnt
for folder in {folders}; do mount --bind $folder $folder; mount -o remount,bind,ro $folder; done
cd "$PWD"
touch it 2>/dev/null && exit 99
"""


def test_a_working_directory_that_cannot_be_written_to(pytester: pytest.Pytester) -> None:
    read_only = READ_ONLY.format(folders='"$PWD"')
    result = among_mounts(pytester, read_only, EVERY, "--concurrency-report=json:/mnt/out.json")
    assert_every_backend_was_measured(pytester, result)
    assert_other_passed(result)


def test_no_folder_for_temporary_files(pytester: pytest.Pytester) -> None:
    """Workers need none, but for telling where they stood; nothing is said of it as long as nothing happens."""
    read_only = READ_ONLY.format(folders='/tmp /var/tmp /usr/tmp "$PWD"')
    options = ("--concurrency-report=json:/mnt/out.json", "--concurrency-start-method=spawn", "-s")
    result = among_mounts(pytester, read_only, EVERY, *options)
    assert_every_backend_was_measured(pytester, result)


def test_a_server_needs_a_folder_for_its_socket(pytester: pytest.Pytester) -> None:
    read_only = READ_ONLY.format(folders='/tmp /var/tmp /usr/tmp "$PWD"')
    options = ("--concurrency-report=json:/mnt/out.json", "--concurrency-start-method=forkserver", "-s")
    result = among_mounts(
        pytester, read_only, next_body(THREADS) + next_body(PROCESSES).replace("_next", "_body"), *options
    )
    text = assert_one_pays(result, pytester)
    assert re.search(r"processes: worker 1 of 2 could not be started\. Cause: \w+: \[Errno", text)
    assert "Try: set TMPDIR to a folder that can be written to" in text
