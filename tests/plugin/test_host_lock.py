"""The lock for the host in real sessions: workers of xdist, two sessions at once, workers that are killed."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import ALONE, IMPORTS, REPORT, Suite, assert_outcome, other_session, records, rerun, text_of

from pytest_concurrency.session.host import host_lock

TWO = ("-p", "xdist", "-n", "2")

# What ran when, on the clock that all processes share: ordinary tests from setup to teardown, and
# every call that was made to measure something.
STAMPS = """
PARAMETERS = pytest.mark.parametrize("n", range(6))

def stamp(name, begin):
    with open(os.path.join(os.environ["STAMPS"], f"{name}-{os.getpid()}"), "a") as file:
        file.write(f"{begin} {time.perf_counter()}\\n")

@pytest.fixture
def ordinary(request):
    begin = time.perf_counter()
    yield
    stamp(f"ordinary-{request.node.name}", begin)

@PARAMETERS
def test_ordinary_one(ordinary, n):
    time.sleep(0.05)

CALLS = []

@PARAMETERS
@pytest.mark.expect_io_bound(undecided="pass", max_time="300ms")
def test_marked(n):
    begin = time.perf_counter()
    time.sleep(0.005)
    CALLS.append(n)
    if CALLS.count(n) > 1:  # the first call is that of an ordinary test
        stamp(f"measured-marked-{n}", begin)

@PARAMETERS
def test_ordinary_two(ordinary, n):
    time.sleep(0.05)

@PARAMETERS
def test_asking(concurrency, n):
    def body():
        begin = time.perf_counter()
        time.sleep(0.005)
        stamp(f"measured-asking-{n}", begin)

    asked = [
        lambda: concurrency.measure(body, threads=2, max_time="100ms"),
        lambda: concurrency.speedup(body, threads=2, max_time="100ms", undecided="pass") >= 1.2,
        lambda: concurrency.compare(body, body, max_time="100ms", undecided="pass") <= 2,
        lambda: concurrency.bound(body, max_time="100ms", undecided="pass") == "io",
    ]
    asked[n % 4]()

@PARAMETERS
def test_ordinary_three(ordinary, n):
    time.sleep(0.05)
"""


class Span(NamedTuple):
    """What one test did, in one process."""

    name: str
    process: str
    begin: float
    end: float


@pytest.fixture(autouse=True)
def own_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Locks of this test's own, as if it were another host."""
    folder = tmp_path / "host"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.delenv(host_lock.VARIABLE, raising=False)
    return folder


@pytest.fixture
def stamps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "stamps"
    folder.mkdir()
    monkeypatch.setenv("STAMPS", str(folder))
    return folder


def spans(folder: Path) -> Iterator[Span]:
    for file in folder.iterdir():
        name, _, process = file.name.rpartition("-")
        lines = [tuple(map(float, line.split())) for line in file.read_text().splitlines()]
        yield Span(name, process, min(line[0] for line in lines), max(line[1] for line in lines))


def disturbed(folder: Path) -> list[tuple[str, str]]:
    """Return which measurements had something beside them, and what."""
    everything = list(spans(folder))
    measured = [span for span in everything if span.name.startswith("measured")]
    assert measured
    return [
        (one.name, other.name)
        for one in measured
        for other in everything
        if other.process != one.process and one.begin < other.end and other.begin < one.end
    ]


needs_xdist = pytest.mark.skipif(not importlib.util.find_spec("xdist"), reason="needs pytest-xdist")


@needs_xdist
def test_nothing_runs_during_a_measurement(suite: Suite, stamps: Path, pytester: pytest.Pytester) -> None:
    result = suite(STAMPS, *TWO, REPORT, subprocess=True)
    result.assert_outcomes(passed=31)
    assert disturbed(stamps) == []
    assert len({span.process for span in spans(stamps)}) == 2
    assert all(record["quiet_host"]["alone"] for record in records(pytester))
    assert "without exclusive host access" not in text_of(result)


@needs_xdist
def test_switched_off_all_run_at_once(suite: Suite, stamps: Path, own_host: Path, pytester: pytest.Pytester) -> None:
    result = suite(STAMPS, *TWO, REPORT, "--concurrency-quiet-host=off", subprocess=True)
    result.assert_outcomes(passed=31)
    assert disturbed(stamps)
    assert {record["quiet_host"] for record in records(pytester)} == {None}
    assert not list(own_host.glob("*perf*"))


def test_two_sessions_respect_each_other(stamps: Path, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_suite=IMPORTS + STAMPS)
    command = [sys.executable, "-m", "pytest", *ALONE, "-q"]
    sessions = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    texts = [session.communicate(timeout=120)[0] for session in sessions]
    assert [session.returncode for session in sessions] == [0, 0], texts
    assert disturbed(stamps) == []


KILLED = """
HARMED = pathlib.Path("harmed")

def harm(calls=[]):
    calls.append(1)
    if len(calls) == 4 and not HARMED.exists():
        HARMED.touch()
        os.kill({victim}, signal.SIGKILL)
    time.sleep(0.005)

@pytest.mark.parametrize("n", range(3))
def test_ordinary(n):
    time.sleep(0.05)

@pytest.mark.expect_speedup({where}, at_least=1.2, undecided="pass", max_time="1s")
def test_killed():
    harm()

@pytest.mark.parametrize("n", range(3))
@pytest.mark.expect_io_bound
def test_later(n):
    time.sleep(0.005)
"""


@needs_xdist
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a process as POSIX does")
@pytest.mark.parametrize(
    ("where", "victim"), [("threads=2", "os.getpid()"), ("processes=2", "os.getppid()")], ids=["itself", "from-a-child"]
)
def test_a_worker_killed_while_measuring_releases_the_lock(
    suite: Suite, pytester: pytest.Pytester, where: str, victim: str
) -> None:
    result = suite(
        KILLED.format(where=where, victim=victim),
        *TWO,
        REPORT,
        "--concurrency-quiet-host=1h",
        "--concurrency-start-method=fork",
        subprocess=True,
    )
    assert "crashed while running 'test_suite.py::test_killed'" in text_of(result)
    result.assert_outcomes(passed=7, failed=1)
    kept = {record["nodeid"]: record for record in records(pytester)}
    assert sorted(kept) == [f"test_suite.py::test_later[{n}]" for n in range(3)]
    assert all(record["quiet_host"]["alone"] for record in kept.values())


VERDICTS = """
LOCK = threading.Lock()

@pytest.mark.parametrize("n", range(3))
def test_ordinary(n):
    sum(range(1_000_000))

@pytest.mark.xdist_group("one")
@pytest.mark.expect_io_bound
def test_met():
    time.sleep(0.005)

@pytest.mark.expect_speedup(threads=4, at_least=3)
def test_broken():
    with LOCK:
        time.sleep(0.005)

@pytest.mark.expect_speedup(threads=2, at_least=1.5)
def test_not_begun():
    pytest.skip("not today")

class TestGroup:
    def test_asking(self, concurrency):
        assert concurrency.speedup(time.sleep, 0.005, threads=4) >= 3

    @pytest.mark.expect_nonblocking
    async def test_task(self):
        await asyncio.sleep(0.005)
"""
EXPECTED = {
    "test_met": {"met"},
    "test_broken": {"not_met"},
    "test_asking": {"met"},
    "test_task": {"met"},
}


@needs_xdist
@pytest.mark.parametrize(
    "how",
    [
        "-n 2 --dist load",
        "-n 2 --dist loadscope",
        "-n 2 --dist loadfile",
        "-n 2 --dist loadgroup",
        "-n 2 --dist worksteal",
        "-n 2 --dist each",
        "-n 2 --dist no",
        "-n 0",
        "-n 4 --maxprocesses 1",
        "-n logical --maxprocesses 2",
        "--dist load --tx popen --tx popen//chdir=.",
        "--dist each --tx 2*popen",
    ],
)
def test_every_way_to_distribute_gives_the_same_verdicts(suite: Suite, pytester: pytest.Pytester, how: str) -> None:
    result = suite(VERDICTS, "-p", "xdist", *how.split(), REPORT, subprocess=True)
    found = defaultdict(set)
    for record in records(pytester):
        found[record["nodeid"].rpartition("::")[2].partition("@")[0]].add(record["expectations"][0]["verdict"])
        assert record["quiet_host"]["alone"], how
    assert found == EXPECTED
    times = 2 if "each" in how else 1
    result.assert_outcomes(passed=7 * times, failed=1 * times, skipped=1 * times)
    assert f"{4 * times} verdicts: {3 * times} met, {1 * times} not met" in text_of(result)


@needs_xdist
def test_a_replaced_worker_keeps_the_records_of_the_lost_one(suite: Suite, pytester: pytest.Pytester) -> None:
    source = """
@pytest.mark.parametrize("n", range(4))
@pytest.mark.expect_io_bound
def test_before(n):
    time.sleep(0.005)

def test_crash():
    os._exit(3)

@pytest.mark.parametrize("n", range(4))
@pytest.mark.expect_io_bound
def test_after(n):
    time.sleep(0.005)
"""
    result = suite(source, *TWO, REPORT, "--max-worker-restart=2", subprocess=True)
    result.assert_outcomes(passed=9, failed=1)
    names = [record["nodeid"].rpartition("::")[2] for record in records(pytester)]
    assert sorted(names) == sorted([f"test_{when}[{n}]" for when in ("before", "after") for n in range(4)])


MEASURED = """
@pytest.mark.expect_io_bound
def test_measured():
    time.sleep(0.005)
"""


def test_a_plain_session_takes_no_part(suite: Suite, own_host: Path) -> None:
    source = """
def test_plain():
    unused = {"pytest_concurrency.session.host.host_lock", "pytest_concurrency.session.host.sharing", "sqlite3"}
    assert not unused & set(sys.modules)
"""
    suite(source, subprocess=True).assert_outcomes(passed=2)
    assert not list(own_host.glob("*perf*"))


@pytest.mark.parametrize(
    "option", ["--concurrency-disable", "--concurrency-skip", "--collect-only", "--concurrency-quiet-host=off"]
)
def test_a_session_that_measures_nothing_takes_no_part(suite: Suite, own_host: Path, option: str) -> None:
    assert suite(MEASURED, option, subprocess=True).ret == 0
    assert not list(own_host.glob("*perf*"))


def test_the_lock_is_taken_and_nothing_is_said(suite: Suite, own_host: Path, pytester: pytest.Pytester) -> None:
    result = suite(MEASURED, REPORT, "-W", "error", subprocess=True)
    result.assert_outcomes(passed=2)
    (record,) = records(pytester)
    assert record["quiet_host"]["alone"]
    assert record["quiet_host"]["reason"] == ""
    assert "quiet" not in text_of(result)
    assert len(list(own_host.glob("*perf*/active.db"))) == 1


def test_a_session_inside_a_test_does_not_wait_for_that_test(suite: Suite, pytester: pytest.Pytester) -> None:
    inner = textwrap.indent(IMPORTS + MEASURED, "    ")
    source = f'''
import subprocess

@pytest.mark.expect_io_bound
def test_measured():
    time.sleep(0.005)

def test_outer(tmp_path):
    (tmp_path / "test_inner.py").write_text("""if True:\\n{inner}""")
    command = [sys.executable, "-m", "pytest", "-p", "concurrency_perf", "--concurrency-quiet-host=1h", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    print(done.stdout)
    assert done.returncode == 0
'''
    result = suite(source, "-s", subprocess=True)
    result.assert_outcomes(passed=3)
    assert (
        "1 test measured without exclusive host access (test_measured): this session was started by a test"
        in text_of(result)
    )


def test_a_test_that_does_not_end_is_not_waited_for_for_ever(
    suite: Suite, pytester: pytest.Pytester, own_host: Path
) -> None:
    """Another session's test runs on and on: the measurement is made beside it, and that is told."""
    path = own_host / f"pytest-concurrency-perf-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    path.mkdir(mode=0o700)
    other = host_lock.HostLock(path, 1.0)
    other.enter()
    result = suite(MEASURED, "--concurrency-quiet-host=50ms", subprocess=True)
    other.leave()
    other.close()
    result.assert_outcomes(passed=2)
    assert (
        "1 test measured without exclusive host access (test_measured): other tests did not end within 50 ms"
        in text_of(result)
    )


TIMED = f"""
{other_session(seconds=4)}

@pytest.mark.expect_io_bound(max_time="300ms", undecided="pass")
def test_measured(other_session):
    time.sleep(0.005)

def test_hanging(concurrency):
    concurrency.measure(time.sleep, 0.001, max_time="10ms")
    time.sleep(60)
"""


@pytest.mark.skipif(not importlib.util.find_spec("pytest_timeout"), reason="needs pytest-timeout")
@pytest.mark.parametrize("method", ["signal", "thread"])
def test_waiting_is_not_the_time_that_pytest_timeout_limits(
    suite: Suite, pytester: pytest.Pytester, method: str
) -> None:
    result = suite(
        TIMED, REPORT, "-p", "pytest_timeout", "--timeout=3", f"--timeout-method={method}", other=False, subprocess=True
    )
    assert_outcome(result, "test_measured", "PASSED")
    assert "Timeout" in text_of(result)
    if method == "signal":  # the other one ends the session
        result.assert_outcomes(passed=1, failed=1)
        (record,) = records(pytester)
        assert record["quiet_host"]["alone"]
        assert record["quiet_host"]["waited"] > 3


def test_without_sqlite3(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import sys\nsys.modules['sqlite3'] = None\n")
    result = suite(MEASURED, subprocess=True)
    result.assert_outcomes(passed=2)
    assert "1 test measured without exclusive host access (test_measured): this Python has no sqlite3" in text_of(
        result
    )


def test_without_a_place_for_the_lock(suite: Suite, own_host: Path) -> None:
    (own_host / f"pytest-concurrency-perf-{os.getuid() if hasattr(os, 'getuid') else 'user'}").touch()
    result = suite(MEASURED, subprocess=True)
    result.assert_outcomes(passed=2)
    assert "1 test measured without exclusive host access (test_measured): " in text_of(result)


@pytest.mark.parametrize("given", ["nope", "-1", "0"])
def test_a_bad_value_is_reported(suite: Suite, given: str) -> None:
    result = suite(MEASURED, f"--concurrency-quiet-host={given}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f'--concurrency-quiet-host={given}: must be auto, off, or the longest wait, such as "2min"' in text_of(
        result
    )


def test_the_ini_key(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nconcurrency_quiet_host = off\n")
    suite(MEASURED, REPORT).assert_outcomes(passed=2)
    assert records(pytester)[0]["quiet_host"] is None
    rerun(pytester, REPORT, "--concurrency-quiet-host=auto", subprocess=True)
    assert records(pytester)[0]["quiet_host"]["alone"]


BUSY_SESSION = """
import os, sys, time
from pytest_concurrency.session.host import file_lock, host_lock

host = host_lock.HostLock(file_lock.folder(), 30.0)
host.enter()
for turn in range(20):
    with host.alone():
        print("measuring", flush=True)
        time.sleep(0.5)
host.leave()
"""


def test_session_gets_as_much_time_as_one_that_measures_repeatedly(suite: Suite) -> None:
    other = subprocess.Popen([sys.executable, "-c", BUSY_SESSION], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "measuring\n"
        ordinary = "@pytest.mark.parametrize('n', range(30))\ndef test_ordinary(n):\n    time.sleep(0.02)\n"
        result = suite(ordinary + MEASURED, subprocess=True)
    finally:
        other.kill()
        other.communicate()
    result.assert_outcomes(passed=32)
    found = re.search(r"tests waited (\d+) s for other sessions", text_of(result))
    # One measurement for each of the tests would be 15 s.
    assert found is None or int(found[1]) < 8


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="stops a process as POSIX does")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_stopped_measurement_costs_each_later_test_less_and_that_is_reported(suite: Suite, workers: int) -> None:
    if workers and not importlib.util.find_spec("xdist"):
        pytest.skip("needs pytest-xdist")
    other = subprocess.Popen([sys.executable, "-c", BUSY_SESSION], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "measuring\n"
        os.kill(other.pid, signal.SIGSTOP)
        ordinary = "@pytest.mark.parametrize('n', range(12))\ndef test_ordinary(n):\n    pass\n"
        distributed = ("-p", "xdist", "-n", str(workers)) if workers else ()
        result = suite(ordinary + MEASURED, "--concurrency-quiet-host=2s", *distributed, subprocess=True)
    finally:
        os.kill(other.pid, signal.SIGCONT)
        other.kill()
        other.communicate()
    result.assert_outcomes(passed=14)
    found = re.search(r"tests waited (\d+) s for", text_of(result))
    assert found is not None
    # Twelve tests that wait 2 s each would make 24 s and more.
    assert 4 <= int(found[1]) <= 14
    assert "(--concurrency-quiet-host)" in text_of(result)
