"""What the plugin's own tests share: small suites that are run as a user would run them."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import json
import multiprocessing.util
import pkgutil
import re
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle  # noqa: F401  # see below
import psutil  # noqa: F401
import pytest

import pytest_concurrency
from pytest_concurrency.core.model import Round
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.measurement import trial, worker_bench
from pytest_concurrency.testing import ScriptedBench, ScriptedBody

pytest_plugins = ["pytester"]

# pytester takes out of sys.modules what an inner session has imported. This package imports most of
# its modules on use, so without this the halves of two inner sessions would meet each other.
for _module in pkgutil.walk_packages(pytest_concurrency.__path__, "pytest_concurrency."):
    if _module.name.endswith("trio_loop") and importlib.util.find_spec("trio") is None:
        continue
    if not _module.name.endswith("__main__"):
        # What needs an extra that is not installed here is loaded by no test either.
        with contextlib.suppress(ModuleNotFoundError) if ".page." in _module.name else contextlib.nullcontext():
            importlib.import_module(_module.name)

# With the entry point's own name, as pytest finds it; see _alone below.
ALONE = ["-p", "concurrency_perf", "-p", "no:cacheprovider"]
REPORT = "--concurrency-report=json:out.json"

IMPORTS = "import asyncio, os, pathlib, signal, sys, threading, time, unittest, warnings\nimport pytest\n"
OTHER = "\n\ndef test_other():\n    pass\n"
# A test that is not met: its threads wait for each other.
LOCKED = """
LOCK = threading.Lock()

@pytest.mark.expect_speedup(threads=4, at_least=3)
def test_body():
    with LOCK:
        time.sleep(0.004)
"""


def thread_beside(loop: str) -> str:
    """Write a fixture whose thread runs this code, which looks at ``stop``, beside all tests of a module."""
    return f"""
@pytest.fixture(scope="module", autouse=True)
def beside():
    stop = threading.Event()

    def work():
{textwrap.indent(textwrap.dedent(loop).strip(), " " * 8)}

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join()
"""


class Backend(NamedTuple):
    """How a body for one backend is written."""

    name: str
    define: str
    wait: str  # to be filled with seconds


BACKENDS = (
    Backend("threads", "def", "time.sleep({})"),
    Backend("processes", "def", "time.sleep({})"),
    Backend("tasks", "async def", "await asyncio.sleep({})"),
)


THREADS, PROCESSES, TASKS = BACKENDS
IN_WORKER = "concurrency_worker.backend == {backend!r} and concurrency_worker.index == 2"


def body(backend: Backend, statement: str, when: str = IN_WORKER, decorators: str = "") -> str:
    """A test whose body does something bad in the third worker of one backend only."""
    return f"""
{decorators}
@pytest.mark.expect_speedup({backend.name}=4, at_least=2)
{backend.define} test_body(concurrency_worker):
    {backend.wait.format(0.004)}
    if {when.format(backend=backend.name)}:
        {statement}
"""


def next_body(backend: Backend) -> str:
    """A test that is measured on the same backend; its verdict does not matter."""
    return f"""
@pytest.mark.expect_speedup({backend.name}=2, at_least=1.2, max_time="1us", undecided="pass")
{backend.define} test_next():
    {backend.wait.format(0.004)}
"""


def other_session(seconds: float) -> str:
    """A fixture of this name: another session, which measures on this host for some time."""
    return f"""
import subprocess

OTHER = '''
import time
from pytest_concurrency.session.host import file_lock, host_lock
host = host_lock.HostLock(file_lock.folder(), 1.0)
host.enter()
print("running", flush=True)
time.sleep({seconds})
host.leave()
'''

@pytest.fixture
def other_session():
    with subprocess.Popen([sys.executable, "-c", OTHER], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "running\\n"
        yield
"""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hanging workers are given up after 10 s; half a second is enough to see that they are.

    However slow the first call was, which has to do with the machine.
    """
    monkeypatch.setattr(trial, "_LEAST_PATIENCE", 0.5)
    monkeypatch.setattr(worker_bench, "_PATIENCE", 0)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let inner sessions of this process read what a quiet machine would: a busy one decides nothing on computing.

    The workers run all the same.
    """

    def script(body: ScriptedBody, control: ScriptedBody | None = None) -> None:
        written = ScriptedBench(body, **({"control_body": control} if control else {}))
        measure = worker_bench.WorkerBench.round

        def read(self: worker_bench.WorkerBench, setup: WorkerSetup) -> Round:
            measure(self, setup)
            one_interpreter = self.site(setup).one_interpreter  # of a pool's workers too
            return written.round(replace(setup, backend="threads" if one_interpreter else "processes"))

        monkeypatch.setattr(worker_bench.WorkerBench, "round", read)
        monkeypatch.setattr(worker_bench.WorkerBench, "probe_gil", lambda self: written.probe_gil())
        monkeypatch.setattr(worker_bench.WorkerBench, "control", lambda self, setup: written.control(setup))

    return script


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.name)
def backend(request: pytest.FixtureRequest) -> Backend:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def own_temporary_folder() -> Iterator[str]:
    """With a short path, as sockets need."""
    # multiprocessing makes a folder when it first needs one and removes it at exit, when this one is gone.
    multiprocessing.util.get_temp_dir()
    with tempfile.TemporaryDirectory(prefix="pcp-", ignore_cleanup_errors=True) as folder:
        yield folder


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, own_temporary_folder: str) -> None:
    """Give inner sessions a wide terminal without colour, no plugin that only this machine has, and no CI system.

    In CI, pytest repeats whole messages in its short summary.

    The lock by which measurements have a host for themselves lies in the folder for temporary files: with one of
    their own, inner sessions do not wait for those of other workers of the outer session.
    """
    monkeypatch.setenv("TMPDIR", own_temporary_folder)
    monkeypatch.setattr(tempfile, "tempdir", own_temporary_folder)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for name in ("PYTEST_ADDOPTS", "FORCE_COLOR", "NO_COLOR", "PY_COLORS", "CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _nothing_is_left(_alone: None) -> Iterator[None]:
    """A hanging worker thread cannot be ended, but waited for: the next test may look for threads."""
    switch_interval = sys.getswitchinterval()
    yield
    assert sys.getswitchinterval() == switch_interval
    left = [thread for thread in threading.enumerate() if thread.name.startswith("concurrency-")]
    for thread in left:
        thread.join(20)
    assert [thread.name for thread in left if thread.is_alive()] == []


Suite = Callable[..., pytest.RunResult]


def plugin(name: str) -> tuple[str, str]:
    """Return the option that loads a plugin by its entry point; skip where it is not installed."""
    if not any(found.name == name for found in importlib.metadata.entry_points(group="pytest11")):
        pytest.skip(f"the plugin {name} is not installed")
    return "-p", name


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Suite:
    """Write tests to ``test_suite.py``, with one more that has nothing to do with them, and run them."""

    def run(source: str, *options: str, subprocess: bool = False, other: bool = True) -> pytest.RunResult:
        pytester.makepyfile(test_suite=IMPORTS + source + (OTHER if other else ""))
        return rerun(pytester, *options, subprocess=subprocess)

    return run


def rerun(pytester: pytest.Pytester, *options: str, subprocess: bool = False) -> pytest.RunResult:
    """Run what is there; ``-v``, so that each test's own outcome can be read."""
    arguments = [*ALONE, "-v", *options]
    if not subprocess:
        result = pytester.runpytest_inprocess(*arguments)
        # CPython 3.11 can fail to parse while another thread does (python/cpython#106905).
        if "AST constructor recursion depth mismatch" not in result.stdout.str():
            return result
    return pytester.runpytest_subprocess(*arguments)


def text_of(result: pytest.RunResult) -> str:
    """All that a user reads, with line breaks and indents of wrapping taken out."""
    # The further lines of an exception begin with E, as its first one does.
    lines = re.sub(r"(?<=\n)(E  .*)((?:\nE  .*)+)", _joined, result.stdout.str() + result.stderr.str())
    return " ".join(lines.split())


def _joined(exception: re.Match[str]) -> str:
    return exception[1] + exception[2].replace("\nE  ", "\n  ")


def assert_outcome(result: pytest.RunResult, name: str, outcome: str) -> None:
    """Check one test's own outcome, as ``-v`` prints it."""
    result.stdout.re_match_lines([rf".*::{name} {outcome}\b.*"])


def records(pytester: pytest.Pytester) -> list[dict[str, Any]]:
    """What ``REPORT`` has made a session write, test by test."""
    return json.loads((pytester.path / "out.json").read_text())["records"]  # type: ignore[no-any-return]


def records_of(pytester: pytest.Pytester) -> dict[str, dict[str, Any]]:
    """The same by the name of the test."""
    return {record["nodeid"].partition("::")[2]: record for record in records(pytester)}


def assert_keeps_to_schema(run: dict[str, Any]) -> None:
    """Check a run against the published schema."""
    import jsonschema

    schema = json.loads((Path(__file__).parents[1] / "docs" / "report-schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(run, schema, jsonschema.Draft202012Validator)


def assert_next_measured(pytester: pytest.Pytester) -> None:
    """Check that the test after a bad one had its two rounds."""
    (expectation,) = records_of(pytester)["test_next"]["expectations"]
    assert expectation["rounds"] >= 2


def assert_other_passed(result: pytest.RunResult) -> None:
    """Check that a bad test cost itself only."""
    assert_outcome(result, "test_other", "PASSED")


def assert_one_pays(result: pytest.RunResult, pytester: pytest.Pytester) -> str:
    """Check that only ``test_body`` failed, and that ``next_body`` was measured; return all that a user reads."""
    result.assert_outcomes(failed=1, passed=2)
    assert_outcome(result, "test_body", "FAILED")
    assert_other_passed(result)
    assert_next_measured(pytester)
    return text_of(result)


def profile_section(result: pytest.RunResult, name: str = "test_body") -> str:
    """The section with the profile, up to the next rule of dashes or signs of equality."""
    # With the failure of a test that is not met, and with the summary otherwise, where tests have their whole names.
    _, *rest = re.split(
        rf" concurrency profile of (?:test_suite\.py::)?{re.escape(name)} ", result.stdout.str(), maxsplit=1
    )
    lines = "".join(rest).splitlines()[1:]
    end = next((number for number, line in enumerate(lines) if line.startswith(("---", "===", "___"))), len(lines))
    return "\n".join(lines[:end])
