"""Measure two git revisions alternately on this machine, and compare them.

Both are checked out in temporary folders, and their tests run in alternating sessions: base, head, head,
base and so on. So background load affects both equally. Uncommitted changes are not measured. Arguments
after -- are passed to pytest.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys

from pytest_concurrency.cli import sessions
from pytest_concurrency.cli.commands import add_fail, limits_of, terminal_width
from pytest_concurrency.cli.git_worktrees import Tree, checked_out, environment_of
from pytest_concurrency.core.errors import CommandError
from pytest_concurrency.reports.changes import lines_of
from pytest_concurrency.runs import allowed_loss
from pytest_concurrency.runs.pooling import compare_sessions

SUMMARY = "measure two git revisions side by side"
TAKES_REST = True


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("base", metavar="BASE", help="the earlier revision: a branch, a tag, a commit")
    parser.add_argument("head", metavar="HEAD", help="the later revision")
    add_fail(parser, default=str(allowed_loss.DEFAULT[0]))
    sessions.add_options(parser, "revision")
    parser.add_argument(
        "--setup",
        metavar="COMMAND",
        help="command to run in the folder of each revision first, to make its environment",
    )
    parser.add_argument(
        "--python",
        default="",
        metavar="COMMAND",
        help="interpreter to run pytest with, such as .venv/bin/python that --setup has made [this one]",
    )
    parser.usage = "%(prog)s [options] BASE HEAD [-- ARGUMENTS FOR PYTEST]"


def run(arguments: argparse.Namespace) -> int:
    wanted = limits_of(arguments) or allowed_loss.DEFAULT
    sessions.check(arguments)
    with checked_out([arguments.base, arguments.head]) as trees:
        base, head = trees
        if base.commit == head.commit:
            raise CommandError(f"{base.ref} and {head.ref} are the same commit: nothing can have changed. Name two")
        for tree in trees:
            sessions.say(f"{tree.ref}: {tree.commit[:12]}")
            if arguments.setup:
                sessions.set_up(arguments.setup, tree.folder, tree.ref)
        before, after = sessions.in_turns(
            _place_of(base, arguments.python), _place_of(head, arguments.python), arguments
        )
    found = compare_sessions(before, after, wanted)
    if found.differences:
        raise CommandError(f"the two environments cannot be compared: {'; '.join(found.differences)}")
    for line in lines_of(found, terminal_width()):
        print(line.text)
    return 1 if found.regressions else 0


def _place_of(tree: Tree, python: str) -> sessions.Place:
    """Return where a revision is measured; an interpreter inside of it, as --setup may have made it, comes first."""
    words = shlex.split(python, posix=os.name == "posix") if python else [sys.executable]
    if (tree.folder / words[0]).is_file():
        words[0] = str(tree.folder / words[0])
    return sessions.Place(tree.ref, tree.folder, tuple(words), environment_of(tree))
