"""``--concurrency-profile``: where the time goes of what is not as concurrent as expected."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from conftest import Suite, assert_keeps_to_schema, assert_other_passed, assert_outcome, profile_section, text_of

LOCKED = """
LOCK = threading.Lock()

def load():
    with LOCK:
        time.sleep(0.004)

def add():
    return sum(i * i for i in range(2000))

@pytest.mark.expect_speedup(threads=4, at_least=3)
def test_body():
    load()
    add()
"""
MET = """
@pytest.mark.expect_io_bound
def test_body():
    time.sleep(0.004)
"""
needs_gil = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="running threads cannot be looked into"
)


def test_a_not_met_verdict_shows_computing_and_waiting_apart(suite: Suite) -> None:
    result = suite(LOCKED, "--concurrency-profile")
    assert_outcome(result, "test_body", "FAILED")
    assert_other_passed(result)
    rows = {
        line.split("  ")[-1]: line.split() for line in profile_section(result).splitlines() if "(test_suite.py:" in line
    }
    sleeping = next(row for where, row in rows.items() if "time.sleep in load" in where)
    computing = next(row for where, row in rows.items() if "<genexpr>" in where and "sum" not in where)
    assert sleeping[3] == "ms"  # waiting; its unit of computing is us
    assert float(sleeping[2]) >= 4
    assert computing[2:4] == ["0", "s"]


@needs_gil
def test_where_threads_stood_is_the_line_of_the_lock(suite: Suite) -> None:
    section = profile_section(suite(LOCKED, "--concurrency-profile"))
    _, _, stands = section.partition("Where 4 threads were blocked, in an extra round;")
    first = stands.splitlines()[1]
    assert "in load: with LOCK:" in first
    assert float(first.split()[0].rstrip("%")) > 50


@needs_gil
def test_what_the_line_called_is_named(suite: Suite) -> None:
    source = """
    import queue
    JOBS = queue.Queue()
    JOBS.put(1)

    @pytest.mark.expect_speedup(threads=3, at_least=2)
    def test_body():
        job = JOBS.get()
        time.sleep(0.004)
        JOBS.put(job)
    """
    section = profile_section(suite(source.replace("\n    ", "\n"), "--concurrency-profile"))
    called = "queue.Queue.get" if sys.version_info >= (3, 11) else "queue.get"  # 3.10 does not know the class
    assert f"test_body: job = JOBS.get() in {called}" in " ".join(section.split())


def test_lines(suite: Suite) -> None:
    pytest.importorskip("line_profiler")
    section = profile_section(suite(LOCKED, "--concurrency-profile=line"))
    assert "line_profiler" in section
    row = next(line for line in section.splitlines() if line.endswith(": time.sleep(0.004)") and " ms " in line)
    assert float(row.split()[0]) >= 4
    assert float(row.split()[2]) >= 4
    assert row.split()[3] == "ms"  # of waiting


def test_a_line_that_computes_and_waits_is_split(suite: Suite) -> None:
    pytest.importorskip("line_profiler")
    source = """
def both():
    end = time.thread_time() + 0.003
    while time.thread_time() < end:
        sum(range(1000))
    time.sleep(0.003)

@pytest.mark.expect_speedup(threads=2, at_least=1.9, at_most=1.95)
def test_body():
    both()
"""
    section = profile_section(suite(source, "--concurrency-profile=line:always"))
    row = next(line for line in section.splitlines() if line.endswith(": both()"))
    time, _, waiting, unit = row.split()[:4]
    assert unit == "ms"
    assert 3 <= float(waiting) <= float(time) - 2.5


def test_a_suspended_coroutine_waits_in_no_line_of_its_own(suite: Suite) -> None:
    pytest.importorskip("line_profiler")
    source = """
async def both():
    sum(range(20000))
    await asyncio.sleep(0.004)

@pytest.mark.expect_speedup(tasks=3, at_least=1.1)
async def test_body():
    await both()
"""
    section = profile_section(suite(source, "--concurrency-profile=line:always"))
    row = next(line for line in section.splitlines() if line.endswith(": sum(range(20000))"))
    number, unit = row.split()[2:4]
    waiting = float(number) * {"s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[unit]
    assert waiting < 0.001  # nothing of the 4 ms in which the loop was free for the others


def test_line_without_its_package_is_a_usage_error(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_concurrency.profiling.line_tool.importlib.util.find_spec", lambda name: None)
    result = suite(MET, "--concurrency-profile=line")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "pytest-concurrency-perf[profile]" in text_of(result)


@pytest.mark.parametrize("value", ["gprof", "cprofile:never", "test_suite.py"])
def test_a_bad_tool_is_a_usage_error(suite: Suite, value: str) -> None:
    result = suite(MET, f"--concurrency-profile={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"--concurrency-profile={value}: must be one of cprofile, line" in text_of(result)


@pytest.mark.parametrize("value", ["cprofile", "cprofile:always"])
def test_a_verdict_that_is_met_is_profiled_on_request(suite: Suite, value: str) -> None:
    result = suite(MET, f"--concurrency-profile={value}")
    assert_outcome(result, "test_body", "PASSED")
    assert ("concurrency profile of test_suite.py::test_body" in result.stdout.str()) == value.endswith("always")


def test_ini_key(suite: Suite, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nconcurrency_profile = cprofile\n")
    assert "time.sleep in load" in profile_section(suite(LOCKED))


def test_nothing_without_the_option(suite: Suite) -> None:
    assert "concurrency profile" not in suite(LOCKED).stdout.str()


def test_an_async_body_is_profiled_on_a_loop(suite: Suite) -> None:
    source = """
@pytest.mark.expect_speedup(tasks=3, at_least=2)
async def test_body():
    await asyncio.sleep(0)
    time.sleep(0.004)
"""
    section = profile_section(suite(source, "--concurrency-profile"))
    assert "time.sleep in test_body" in section


def test_processes_are_profiled_in_the_tests_own(suite: Suite) -> None:
    source = """
@pytest.mark.expect_speedup(processes=2, at_most=1.2, undecided="fail")
def test_body():
    time.sleep(0.004)
"""
    section = profile_section(suite(source, "--concurrency-profile"))
    assert "time.sleep in test_body" in section
    assert "The worker processes themselves are not watched" in section


@pytest.mark.parametrize(
    ("statement", "part"),
    [
        ("concurrency.speedup(load, threads=3) >= 2.5", "time.sleep in load"),
        ("concurrency.bound(load) == 'cpu'", "time.sleep in load"),
        ("concurrency.compare(load, load) > 30", "time.sleep in load"),
    ],
)
def test_the_fixture_profiles_too(suite: Suite, statement: str, part: str) -> None:
    source = LOCKED.partition("@pytest")[0] + f"\ndef test_body(concurrency):\n    assert {statement}\n"
    result = suite(source, "--concurrency-profile")
    assert_outcome(result, "test_body", "FAILED")
    assert part in profile_section(result, "load()")


def test_a_bound_that_is_as_expected_is_not_profiled(suite: Suite) -> None:
    source = "\ndef test_body(concurrency):\n    assert concurrency.bound(time.sleep, 0.004) == 'io'\n"
    result = suite(source, "--concurrency-profile")
    assert_outcome(result, "test_body", "PASSED")
    assert "concurrency profile" not in result.stdout.str()


def test_a_body_that_fails_in_the_extra_run_keeps_its_verdict(suite: Suite) -> None:
    source = """
LOCK = threading.Lock()

@pytest.mark.expect_speedup(threads=3, at_least=2.5)
def test_body():
    if any(name.startswith("pytest_concurrency.profiling.runner") for name in frames()):
        raise RuntimeError("not under a profiler")
    with LOCK:
        time.sleep(0.004)

def frames():
    frame = sys._getframe()
    while frame is not None:
        yield frame.f_globals["__name__"]
        frame = frame.f_back
"""
    result = suite(source, "--concurrency-profile")
    assert_outcome(result, "test_body", "FAILED")
    assert "is not met" in text_of(result)
    assert "The extra run ended with RuntimeError: not under a profiler" in profile_section(result)


def test_a_body_that_hangs_in_the_extra_run_is_left_there(suite: Suite) -> None:
    source = """
LOCK = threading.Lock()

@pytest.mark.expect_speedup(threads=3, at_least=2.5)
def test_body():
    with LOCK:
        time.sleep(0.004)
    frame = sys._getframe()
    while frame is not None:
        if frame.f_globals["__name__"].startswith("pytest_concurrency.profiling"):
            while True:
                time.sleep(0.01)
        frame = frame.f_back
"""
    result = suite(source, "--concurrency-profile", "--concurrency-max-time=1s")
    assert_outcome(result, "test_body", "FAILED")
    section = profile_section(result)
    assert "the extra run, which a profiler makes slower, had not ended" in " ".join(section.split())
    assert "time.sleep(0.01)" in section


def test_a_long_body_is_not_run_beyond_max_time(suite: Suite) -> None:
    source = """
LOCK = threading.Lock()

@pytest.mark.expect_speedup(threads=2, at_least=1.9, undecided="fail", max_time="300ms")
def test_body():
    with LOCK:
        time.sleep(0.25)
"""
    result = suite(source, "--concurrency-profile", "--concurrency-max-time=200ms")
    assert_outcome(result, "test_body", "FAILED")
    assert "Not all was looked at" in profile_section(result)
    assert "time.sleep" not in profile_section(result)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python has no room for one profiler only before 3.12")
def test_another_profiler_that_is_active_is_named(suite: Suite) -> None:
    source = """
@pytest.fixture(autouse=True)
def other():
    sys.monitoring.use_tool_id(sys.monitoring.PROFILER_ID, "somebodys profiler")
    yield
    sys.monitoring.free_tool_id(sys.monitoring.PROFILER_ID)
"""
    result = suite(source + LOCKED, "--concurrency-profile")
    assert_outcome(result, "test_body", "FAILED")
    assert "another profiler is active (somebodys profiler)" in " ".join(profile_section(result).split())


@pytest.mark.parametrize(
    ("tool", "part"),
    [("cprofile", "so lines of Python appear slower"), ("line", "line_profiler would replace the tracer")],
)
def test_what_traces_the_run_is_reported(suite: Suite, tool: str, part: str) -> None:
    if tool == "line":
        pytest.importorskip("line_profiler")
    source = """
@pytest.fixture(autouse=True)
def tracing():
    threading.settrace(lambda *event: None)
    yield
    threading.settrace(None)
"""
    result = suite(source + LOCKED, f"--concurrency-profile={tool}")
    assert_outcome(result, "test_body", "FAILED")
    assert part in " ".join(profile_section(result).split())


def test_the_record_has_it_and_keeps_to_the_schema(suite: Suite, pytester: pytest.Pytester) -> None:
    suite(LOCKED, "--concurrency-profile", "--concurrency-report=json:out.json")
    run = json.loads((pytester.path / "out.json").read_text(encoding="utf-8"))
    [profile] = run["records"][0]["profile"]
    assert profile["tool"] == "cprofile"
    assert any("time.sleep" in cost["where"] for cost in profile["costs"])
    assert "computing" in profile["text"]
    schema = json.loads((Path(__file__).parents[2] / "docs" / "report-schema.json").read_text(encoding="utf-8"))
    assert "profile" in schema["$defs"]["Record"]["properties"]
    assert_keeps_to_schema(run)


def test_under_xdist_it_comes_from_the_worker(suite: Suite) -> None:
    pytest.importorskip("xdist")
    result = suite(LOCKED, "-p", "xdist", "-n1", "--concurrency-profile", subprocess=True)
    assert "time.sleep in load" in profile_section(result)


def test_input_is_made_again_for_the_extra_run(suite: Suite) -> None:
    source = """
LOCK = threading.Lock()

def pages():
    return [1]

@pytest.mark.expect_speedup(threads=3, at_least=2.5, setup=pages)
def test_body(concurrency_worker):
    assert concurrency_worker.input == [1]
    with LOCK:
        time.sleep(0.004)
"""
    assert "time.sleep in test_body" in profile_section(suite(source, "--concurrency-profile"))
