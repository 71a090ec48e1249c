"""``compare-refs``: two revisions of a real repository against each other."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import pytest_concurrency

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")

FETCH = "import threading, time\nLOCK = threading.Lock()\ndef fetch():\n    time.sleep(0.004)\n"
TEST = """
import pytest
from app.fetching import fetch

@pytest.mark.expect_speedup(threads=4, at_least=0.5)
def test_fetch():
    fetch()
"""


class Repository(NamedTuple):
    """A project with the revisions ``first``, ``locked`` (slower) and ``same`` (as fast as the first)."""

    path: Path

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", *identity, *arguments], cwd=self.path, check=True, capture_output=True, text=True
        ).stdout

    def commit(self, tag: str, **files: str) -> None:
        for name, text in files.items():
            path = self.path / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", tag)
        self.git("tag", tag)

    def compare(self, *arguments: str, below: str = ".") -> subprocess.CompletedProcess[str]:
        root = str(Path(pytest_concurrency.__file__).parents[1])
        environment = {**os.environ, "PYTHONPATH": root, "COLUMNS": "80", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        command = [
            sys.executable,
            "-m",
            "pytest_concurrency",
            "compare-refs",
            *arguments,
            "--",
            "-p",
            "concurrency_perf",
        ]
        return subprocess.run(
            command, cwd=self.path / below, env=environment, capture_output=True, text=True, check=False
        )

    def check_clean(self) -> None:
        """Nothing is left behind, in the repository or in its list of worktrees."""
        assert len(self.git("worktree", "list").splitlines()) == 1
        assert self.git("status", "--short") == ""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    found = Repository(tmp_path_factory.mktemp("repository"))
    found.git("init", "-q")
    found.commit("first", app__fetching=FETCH, tests__test_fetch=TEST)
    found.commit("locked", app__fetching=FETCH.replace("    time.sleep", "    with LOCK: time.sleep"))
    found.commit("same", app__fetching=FETCH + "# a comment\n")
    return found


def test_a_lock_added_between_two_revisions(repository: Repository) -> None:
    done = repository.compare("first", "locked")
    assert done.returncode == 1, done.stderr
    assert "REGRESSED tests/test_fetch.py::test_fetch\n          speedup, 4 threads:" in done.stdout
    assert "1 compared: 1 regressed" in done.stdout
    # In turns, so that what drifts does so for both.
    turns = [line.rpartition(" ")[2] for line in done.stderr.splitlines() if line.startswith("session")]
    assert turns == ["first", "locked", "locked", "first"]
    repository.check_clean()


def test_a_comment_is_no_change(repository: Repository) -> None:
    done = repository.compare("first", "same", "--times", "1", below="tests")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 compared: 1 " in done.stdout
    assert "regressed" not in done.stdout


def test_environments_come_from_a_command(repository: Repository) -> None:
    """The command runs where the revision is; the interpreter that it makes is found there."""
    setup = f"mkdir own && printf '#!/bin/sh\\nexec {sys.executable} \"$@\"\\n' > own/python && chmod +x own/python"
    done = repository.compare("locked", "same", "--times=1", "--setup", setup, "--python", "own/python")
    assert done.returncode == 0, done.stderr
    assert "IMPROVED" in done.stdout
    repository.check_clean()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["first", "nosuch"], "'nosuch' is not a revision of this repository"),
        (["--times=1", "first", "first~99"], "'first~99' is not a revision"),
        (["first", "first"], "are the same commit"),
        (["first", "same", "--times=0"], "at least one session"),
        (["first", "same", "--fail=x"], "'x' is not a limit"),
        (["first", "same", "--setup", "echo broken setup; exit 3"], "broken setup"),
        (["first", "same", "--python", "no-such-python"], "no-such-python cannot be run"),
    ],
)
def test_bad_input(repository: Repository, arguments: list[str], said: str) -> None:
    done = repository.compare(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    repository.check_clean()


def test_a_revision_without_measured_tests(repository: Repository) -> None:
    repository.git("checkout", "-q", "--orphan", "other")
    repository.commit("unmeasured", tests__test_fetch="def test_fetch(): pass\n")
    repository.git("checkout", "-q", "same")
    done = repository.compare("first", "unmeasured", "--times=1")
    assert done.returncode == 2
    assert "no test measured anything in unmeasured" in done.stderr
    repository.check_clean()


def test_outside_a_repository(tmp_path: Path) -> None:
    done = Repository(tmp_path).compare("a", "b")
    assert done.returncode == 2
    assert "this is not a folder of a git repository" in done.stderr


def test_worktree_of_the_user_on_a_disk_that_is_not_mounted_is_kept(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "project")
    repository.path.mkdir()
    repository.git("init", "-q")
    repository.commit("only", a="x = 1\n")
    repository.git("worktree", "add", "-q", str(tmp_path / "disk" / "tree"), "-b", "feature")
    (tmp_path / "disk").rename(tmp_path / "unmounted")
    assert repository.compare("only", "only").returncode == 2
    (tmp_path / "unmounted").rename(tmp_path / "disk")
    assert len(repository.git("worktree", "list").splitlines()) == 2
    assert Repository(tmp_path / "disk" / "tree").git("status", "--short") == ""


@pytest.mark.parametrize("addopts", ["--ff", "--lf", "-p no:cacheprovider"])
def test_options_about_the_cache_in_the_projects_settings_are_applied(tmp_path: Path, addopts: str) -> None:
    """A cache that one session leaves must not make the next one run failures only."""
    repository = Repository(tmp_path)
    repository.git("init", "-q")
    (tmp_path / "pytest.ini").write_text(f"[pytest]\naddopts = {addopts} --strict-config\n")
    body = (
        "import time, pytest\n@pytest.mark.expect_speedup(threads=2, at_least=1.5)\ndef test_it(): time.sleep(0.01)\n"
    )
    repository.commit("first", test_it=body + "def test_bad(): assert 0\n")
    repository.commit("second", test_it=body + "\ndef test_bad(): assert 0\n")
    done = repository.compare("first", "second", "--times=2")
    assert done.returncode == 0, done.stderr
    assert "1 compared: 1 " in done.stdout
