"""``compare-pythons``: one project under two interpreters. Here it is one interpreter, with different options."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import pytest_concurrency
from pytest_concurrency.cli import interpreters, main

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="paths and scripts of POSIX")

PYTHON = shlex.quote(sys.executable)
OTHER = f"{PYTHON} -X other"
PYTEST = ["--", "-p", "concurrency_perf", "-p", "no:randomly"]
WAIT = """
import sys, time, pytest

@pytest.mark.expect_speedup(threads=2, at_least=1.2, undecided="pass")
def test_wait():
    time.sleep(0.008 if "other" in sys._xoptions else 0.004)
"""


class Project(NamedTuple):
    """A folder with tests, and what the commands in it have printed."""

    path: Path
    said: pytest.CaptureFixture[str]

    def compare(self, *arguments: str, status: int = 0) -> str:
        """Run the command, check its exit status, and return what it printed: of bad input, the message alone."""
        found = main(["compare-pythons", *arguments, *PYTEST])
        out, err = self.said.readouterr()
        assert found == status, out + err
        assert "Traceback" not in err
        if status == 2:
            assert out == ""
            return " ".join(err.split())
        return out

    def script(self, name: str, text: str) -> str:
        path = self.path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Project:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("PYTHONPATH", str(Path(pytest_concurrency.__file__).parents[1]))
    (tmp_path / "test_wait.py").write_text(WAIT)
    return Project(tmp_path, capsys)


def test_a_slower_worker_fails_where_that_is_limited(project: Project) -> None:
    """In environments that a command makes, which keep the options of their interpreters."""
    (project.path / "test_bad.py").write_text("def test_bad(): assert 0\n")
    (project.path / "test_here.py").write_text(
        "import sys, time, pytest\n@pytest.mark.skipif('other' in sys._xoptions, reason='here only')\n"
        "@pytest.mark.expect_io_bound(max_time='1us', undecided='pass')\ndef test_here(): time.sleep(0.004)\n"
    )
    setup = (
        "mkdir -p {venv}/bin && printf '#!/bin/sh\\nexec %s \"$@\"\\n' {python} > {venv}/bin/python "
        "&& chmod +x {venv}/bin/python"
    )
    options = ["--times=1", "--fail=single:10%", "--json=found.json", "--setup", setup]
    out = project.compare(PYTHON, OTHER, *options, status=1)
    lines = out.splitlines()
    assert max(map(len, lines[5:])) <= 80, "only the path of an interpreter may be longer"
    assert lines[0].startswith("A  ")
    assert lines[1].endswith(f"{sys.executable} -X other)") or lines[2].endswith(f"{sys.executable} -X other")
    assert "REGRESSED test_wait.py::test_wait" in out
    assert "one worker takes" in out
    assert "ONLY A test_here.py::test_here 1 test measured nothing under B" in " ".join(out.split())
    found = json.loads((project.path / "found.json").read_text())
    assert found["interpreters"][0]["gil"] in (True, False)
    assert found["rows"][0]["time"]["value"] > 1.1


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("no-such-python", "no-such-python cannot be run: No such file or directory. Name an interpreter"),
        ("/bin/true", "/bin/true is not a working Python interpreter: it ended with status 0"),
        ("sh -c 'echo {}'", "is not a working Python interpreter"),
        ("", "an interpreter has no name"),
        (PYTHON, "are the same interpreter"),
        (f"{PYTHON} -S", "has no pytest: install"),
    ],
)
def test_bad_interpreter(project: Project, first: str, said: str) -> None:
    assert said in project.compare(first, PYTHON, status=2)


def test_python_that_is_too_old(project: Project) -> None:
    old = project.script("python2", 'echo \'{"executable": "/usr/bin/python2", "version": [2, 7]}\'')
    assert "is Python 2.7: the plugin needs 3.10 or newer" in project.compare(old, PYTHON, status=2)


def test_interpreter_that_does_not_answer(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreters, "_PATIENCE", 0.2)
    assert "did not start within" in project.compare(project.script("hangs", "exec sleep 60"), PYTHON, status=2)


def test_another_version_of_the_plugin(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    other = project.path / "other"
    (other / "pytest_concurrency").mkdir(parents=True)
    text = '__distribution__ = "pytest-concurrency-perf"\n__version__ = "0.0.1"\n'
    (other / "pytest_concurrency" / "__init__.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(other))
    assert "has pytest-concurrency-perf 0.0.1, and this command is" in project.compare(PYTHON, OTHER, status=2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--times=0"], "at least one session"),
        (["--fail=single:0.1"], "write single:10%"),
        (["--path=nowhere"], "there is no such folder"),
        (["--json=."], "cannot be written"),
        (["--setup", "echo no network; exit 3"], "no network"),
        (["--setup", "echo {venv}"], "there is no interpreter"),
    ],
)
def test_bad_options(project: Project, arguments: list[str], said: str) -> None:
    assert said in project.compare(PYTHON, OTHER, *arguments, status=2)


def test_suite_that_measures_nothing(project: Project) -> None:
    (project.path / "test_wait.py").write_text("def test_plain(): pass\n")
    assert "no test measured anything in" in project.compare(PYTHON, OTHER, status=2)


def test_suite_that_hangs_is_stopped_with_its_processes(project: Project) -> None:
    (project.path / "test_wait.py").write_text(
        "import subprocess, sys, time\n"
        "def test_hangs():\n"
        "    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "    open('pid', 'w').write(str(child.pid))\n"
        "    time.sleep(600)\n"
    )
    said = project.compare(PYTHON, OTHER, "--timeout=6s", status=2)
    assert "did not end within 6 s and was stopped. Raise --timeout" in said
    if not (project.path / "pid").exists():
        pytest.skip("the machine is so busy that the session did not reach the test")
    assert "test_wait.py::test_hangs" in said
    if sys.platform == "linux":
        status = Path("/proc", (project.path / "pid").read_text(), "status")
        assert not status.exists() or "zombie" in status.read_text()
