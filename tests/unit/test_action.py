"""The GitHub action in action.yml: its shell steps, run with an interpreter and a ``gh`` that only note their calls."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")

FILE = Path(__file__).parent.parent.parent / "action.yml"
pytestmark = [
    pytest.mark.skipif(not FILE.exists(), reason="the source archive has no action.yml"),
    pytest.mark.skipif(sys.platform == "win32" or shutil.which("bash") is None, reason="needs bash"),
]
NOTE = f"""#!{sys.executable}
import json, os, sys
with open(os.environ["NOTES"], "a") as notes:
    notes.write(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]) + "\\n")
"""
GH = NOTE + 'print(os.environ["KNOWN"]) if "--jq" in sys.argv else sys.exit(int(os.environ.get("REFUSED", 0)))\n'


def action() -> Any:
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


def step(name: str) -> dict[str, Any]:
    return next(step for step in action()["runs"]["steps"] if step["name"] == name)  # type: ignore[no-any-return]


class Runner:
    """A folder in which steps run as on a runner."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bin = path / "bin"
        self.bin.mkdir()
        for name, text in (("python", NOTE), ("gh", GH), ("sudo", "#!/bin/sh\nexit 1\n")):
            (self.bin / name).write_text(text)
            (self.bin / name).chmod(0o755)
        (path / "concurrency.md").write_text("## All met\n")

    def run(self, name: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            "NOTES": str(self.path / "notes"),
            "RUNNER_TEMP": str(self.path),
            "GITHUB_STEP_SUMMARY": str(self.path / "summary.md"),
            "GITHUB_REPOSITORY": "owner/project",
            **variables,
        }
        assert set(step(name)["env"]) <= set(environment)
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step(name)["run"]]
        return subprocess.run(command, env=environment, cwd=self.path, capture_output=True, text=True, check=False)

    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.path / "notes").read_text().splitlines()]


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def test_other_actions_are_pinned_by_hash() -> None:
    used = [step["uses"] for step in action()["runs"]["steps"] if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w/.-]+@[0-9a-f]{40}", name) for name in used)


def test_inputs_reach_the_shell_as_variables_only() -> None:
    scripts = [step["run"] for step in action()["runs"]["steps"] if "run" in step]
    assert len(scripts) == 3
    assert not any("${{" in script for script in scripts)


def test_every_input_is_used_and_described() -> None:
    text = FILE.read_text(encoding="utf-8")
    for name, details in action()["inputs"].items():
        assert details["description"]
        assert f"inputs.{name}" in text


def test_page_of_the_action_lists_its_inputs() -> None:
    page = (FILE.parent / "docs" / "howto" / "ci-github-actions.md").read_text(encoding="utf-8")
    table = page.partition("| input | default |")[2].partition("\n\n")[0]
    listed = dict(re.findall(r"^\| `(\w+)` \| (?:`([^`]*)`|[^|]*) \|", table, re.MULTILINE))
    assert {name: value for name, value in listed.items() if value} == {
        name: details["default"] for name, details in action()["inputs"].items() if name != "token"
    }
    assert "token" in listed


def test_tests_run_with_the_arguments_as_they_are(runner: Runner) -> None:
    evil = "$(touch broken)"
    arguments = f"tests\n-m\nnot slow\n\n-k\n{evil}; `touch broken`\n"
    done = runner.run("Run the tests", PYTHON="python", ARGUMENTS=arguments)
    assert done.returncode == 0, done.stderr
    (call,) = runner.calls()
    own = call.index("--concurrency-report=markdown:" + str(runner.path / "summary.md"))
    assert call[:own] == ["python", "-m", "pytest", "tests", "-m", "not slow", "-k", f"{evil}; `touch broken`"]
    assert call[own + 1 :] == [
        f"--concurrency-report=markdown:{runner.path / 'concurrency.md'}",
        f"--concurrency-report=html:{runner.path / 'concurrency.html'}",
    ]
    assert not (runner.path / "broken").exists()
    assert not (runner.path / "concurrency.md").exists(), "that of an earlier step"


def test_status_of_pytest_is_that_of_the_step(runner: Runner) -> None:
    (runner.bin / "python").write_text("#!/bin/sh\nexit 1\n")
    assert runner.run("Run the tests", PYTHON="python", ARGUMENTS="").returncode == 1


def test_installs_one_requirement(runner: Runner) -> None:
    runner.run("Install the plugin", PYTHON="python", REQUIREMENT="pytest-concurrency-perf[html]")
    assert runner.calls() == [["python", "-m", "pip", "install", "pytest-concurrency-perf[html]"]]


@pytest.mark.parametrize(
    ("known", "call"),
    [
        ("", ["--method", "POST", "repos/owner/project/issues/7/comments"]),
        ("12\n13", ["--method", "PATCH", "repos/owner/project/issues/comments/12"]),
    ],
    ids=["first", "replaced"],
)
def test_pull_request_has_one_comment(runner: Runner, known: str, call: list[str]) -> None:
    done = runner.run("Comment on the pull request", KNOWN=known, GH_TOKEN="", NUMBER="7", MARKER="<!-- mark -->")
    assert done.returncode == 0, done.stderr
    assert runner.calls()[1][2:5] == call
    assert (runner.path / "comment.md").read_text() == "<!-- mark -->\n## All met\n"


def test_comment_fits(runner: Runner) -> None:
    (runner.path / "concurrency.md").write_text("a line of the report\n" * 10_000)
    runner.run("Comment on the pull request", KNOWN="", GH_TOKEN="", NUMBER="7", MARKER="<!-- mark -->")
    text = (runner.path / "comment.md").read_text()
    assert 50_000 < len(text) < 65_536
    assert text.endswith("The summary of the run has the rest.\n")


def test_comment_that_is_not_allowed_is_a_warning(runner: Runner) -> None:
    variables = {"KNOWN": "", "REFUSED": "1", "GH_TOKEN": "", "NUMBER": "7", "MARKER": "<!-- mark -->"}
    done = runner.run("Comment on the pull request", **variables)
    assert done.returncode == 0
    assert "needs the permission pull-requests: write" in done.stdout


def test_no_report_is_a_warning(runner: Runner) -> None:
    (runner.path / "concurrency.md").unlink()
    done = runner.run("Comment on the pull request", KNOWN="", GH_TOKEN="", NUMBER="7", MARKER="<!-- mark -->")
    assert done.returncode == 0
    assert "no concurrency report" in done.stdout
    assert not (runner.path / "notes").exists()
