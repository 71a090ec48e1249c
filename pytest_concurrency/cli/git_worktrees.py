"""Two revisions of a git repository side by side, and pytest sessions in them."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pytest_concurrency.core.errors import CommandError
from pytest_concurrency.runs.store import Storage

_TESTS_RAN = (0, 1)  # pytest's exit status: all passed, some failed
_NO_TESTS = 5
_TAIL = 25  # lines of a failed command's output that are shown


class Tree(NamedTuple):
    """One revision, checked out. ``folder`` corresponds to the user's current folder."""

    ref: str
    commit: str
    root: Path
    folder: Path


def git(*arguments: str) -> str:
    """Run git, and return its output.

    :raises CommandError: it failed, or is not installed.
    """
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, encoding="utf-8", errors="surrogateescape", check=False
        )
    except OSError as error:
        raise CommandError(f"git cannot be run: {error.strerror or error}") from None
    if done.returncode:
        raise CommandError(f"git {arguments[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def commit_of(ref: str) -> str:
    """Return the commit that a branch, a tag or another name refers to.

    :raises CommandError: there is none; names the ref.
    """
    try:
        return git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    except CommandError:
        raise CommandError(f"{ref!r} is not a revision of this repository: name a branch, a tag or a commit") from None


@contextlib.contextmanager
def checked_out(refs: Sequence[str]) -> Iterator[list[Tree]]:
    """Check out each revision in a temporary folder while the block runs.

    :raises CommandError: this is not a repository, or a revision does not exist.
    """
    try:
        inside = git("rev-parse", "--show-prefix")
    except CommandError as error:
        raise CommandError(f"this is not a folder of a git repository ({error})") from None
    commits = [commit_of(ref) for ref in refs]
    with tempfile.TemporaryDirectory(prefix="concurrency-refs-", ignore_cleanup_errors=True) as temporary:
        roots = [Path(temporary, name) for name in ("base", "head")]
        trees = [Tree(ref, commit, root, root / inside) for ref, commit, root in zip(refs, commits, roots, strict=True)]
        try:
            for tree in trees:
                git("worktree", "add", "--detach", "--quiet", str(tree.root), tree.commit)
            for tree in trees:
                if not tree.folder.is_dir():
                    raise CommandError(f"{tree.ref} has no folder {inside}: start from one that both revisions have")
            yield trees
        finally:
            # Only these two: `git worktree prune` would also forget the user's own worktrees on a disk that is not
            # mounted. Forced twice, git removes one that was interrupted while it was added, too.
            for root in roots:
                with contextlib.suppress(CommandError):
                    git("worktree", "remove", "--force", "--force", str(root))


def set_up(tree: Tree, command: str) -> None:
    """Run the user's command that makes a revision's environment.

    :raises CommandError: it failed.
    """
    done = subprocess.run(
        command,
        shell=True,
        cwd=tree.folder,
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        raise CommandError(
            f"--setup {command!r} failed for {tree.ref} with status {done.returncode}:\n{_tail(done.stdout)}"
        )


def measure(tree: Tree, python: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Run pytest in a revision's folder, and return its run.

    :raises CommandError: nothing was measured.
    """
    with tempfile.TemporaryDirectory(prefix="concurrency-run-") as storage:
        # Settings of the project that save or compare runs are about another folder.
        # Each session has its own cache: with --lf in a project's addopts, the second session would run only failures.
        # Without the cache's plugin, that option would be unknown.
        cache = Path(storage, "cache")
        ours = ["-o", f"cache_dir={cache}", f"--concurrency-storage={storage}", "--concurrency-save=measured", "-q"]
        command = [*_python(tree, python), "-m", "pytest", *arguments, *ours]
        try:
            done = subprocess.run(
                command, cwd=tree.folder, env=_environment(tree), text=True, errors="replace", check=False,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        except OSError as error:
            raise CommandError(f"{command[0]} cannot be run: {error.strerror or error}") from None
        saved = Storage(storage)
        if done.returncode not in _TESTS_RAN or not saved.names():
            what = "no test was found" if done.returncode == _NO_TESTS else "no test measured anything"
            if done.returncode not in (*_TESTS_RAN, _NO_TESTS):
                what = f"pytest ended with status {done.returncode}"
            raise CommandError(f"{what} in {tree.ref}:\n{_tail(done.stdout)}")
        return saved.load("measured")


def _python(tree: Tree, python: str) -> list[str]:
    """Return the interpreter. A path inside the repository means that in the revision, made by --setup."""
    words = shlex.split(python, posix=os.name == "posix") if python else [sys.executable]
    if (tree.folder / words[0]).is_file():
        words[0] = str(tree.folder / words[0])
    return words


def _environment(tree: Tree) -> dict[str, str]:
    """Return an environment in which the revision's code is imported before installed code."""
    own = [str(folder) for folder in (tree.root / "src", tree.root) if folder.is_dir()]
    before = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*own, *([before] if before else [])])}


def _tail(output: str) -> str:
    return "\n".join(f"  {line}" for line in output.strip().splitlines()[-_TAIL:])
