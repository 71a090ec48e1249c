"""``--concurrency-profile=tachyon``: workers under a sampler. A stand-in writes what a sampler would, where there is
none.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from conftest import Suite, assert_keeps_to_schema, assert_other_passed, assert_outcome, profile_section

from pytest_concurrency.profiling import samplers

LOCKED = """
LOCK = threading.Lock()

def load():
    with LOCK:
        time.sleep(0.004)

@pytest.mark.expect_speedup(threads=3, at_least=2.5)
def test_body():
    load()
"""
WRITE = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"
REFUSE = "import sys; sys.exit('PermissionError: [Errno 1] Operation not permitted')"
STACKS = "tid:1;batch.py:run_batch:151;test_suite.py:test_body:3;test_suite.py:load:2 8\ntid:2;threading.py:run:1 5\n"


@pytest.fixture
def sampler(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A sampler that sees the same stacks in each process; return the processes."""
    seen: list[int] = []

    def commands(tool: str, process: int, mode: str, seconds: int, output: str, is_async: bool) -> list[list[str]]:
        seen.append(process)
        return [[sys.executable, "-I", "-c", WRITE, f"{output}.1", STACKS]]

    monkeypatch.setattr(samplers, "has_tachyon", lambda: True)
    monkeypatch.setattr(samplers, "commands", commands)
    return seen


def test_workers_are_profiled_and_drawn(suite: Suite, pytester: pytest.Pytester, sampler: list[int]) -> None:
    pytest.importorskip("matplotlib")
    reports = ("--concurrency-report=json:out.json", "--concurrency-report=html:out.html")
    result = suite(LOCKED, "--concurrency-profile=tachyon", *reports)
    assert_outcome(result, "test_body", "FAILED")
    assert_other_passed(result)
    section = profile_section(result)
    assert "Time of 3 threads in an extra round (tachyon, all the time; 8 samples):" in section
    assert "in load" in section
    run = json.loads((pytester.path / "out.json").read_text(encoding="utf-8"))
    assert_keeps_to_schema(run)
    found: Any = run["records"][0]["profile"][0]["flame"]
    assert (found["mode"], found["samples"]) == ("wall", 8)
    assert 'class="chart flame"' in (pytester.path / "out.html").read_text(encoding="utf-8")


def test_each_worker_process_has_a_sampler(suite: Suite, sampler: list[int]) -> None:
    source = LOCKED.replace("threads=3, at_least=2.5", "processes=2, at_least=1.2")
    section = profile_section(suite(source, "--concurrency-profile=tachyon:gil:always"))
    assert "Time of 2 processes in an extra round (tachyon, with the GIL; 16" in section
    assert len(set(sampler)) == 2


def test_sampler_that_may_not_look_costs_its_profile_only(
    suite: Suite, sampler: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samplers, "commands", lambda *values: [[sys.executable, "-I", "-c", REFUSE]])
    result = suite(LOCKED, "--concurrency-profile=tachyon")
    assert_outcome(result, "test_body", "FAILED")
    section = " ".join(profile_section(result).split())
    assert "tachyon may not look into the workers: the system does not permit it. Allow it: run as root" in section
    assert "cProfile was used in its place" in section
    assert "time.sleep in load" in section


def test_without_any_sampler_it_is_cprofile(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samplers, "has_tachyon", lambda: False)
    monkeypatch.setattr(samplers, "py_spy", lambda: None)
    section = profile_section(suite(LOCKED, "--concurrency-profile=tachyon"))
    assert "time.sleep in load" in section
    assert "py-spy is not installed: cProfile was used" in " ".join(section.split())


@pytest.mark.skipif(samplers.choose("tachyon")[0] == "cprofile", reason="no sampling profiler is installed")
def test_real_sampler_sees_the_lock(suite: Suite) -> None:
    section = profile_section(suite(LOCKED, "--concurrency-profile=tachyon"))
    if "could not" in section or "may not" in section:
        pytest.skip("this system does not let it look")
    assert "in load: with LOCK:" in section
