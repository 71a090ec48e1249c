"""Two revisions of a git repository side by side."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pytest_concurrency.core.errors import CommandError


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


def environment_of(tree: Tree) -> dict[str, str]:
    """Let the revision's own code be found before any that is installed."""
    own = [str(folder) for folder in (tree.root / "src", tree.root) if folder.is_dir()]
    before = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*own, *([before] if before else [])])}
