"""Measure two git revisions alternately on this machine, and compare them.

Both are checked out in temporary folders, and their tests run in alternating sessions: base, head, head,
base and so on. So background load affects both equally. Uncommitted changes are not measured. Arguments
after -- are passed to pytest.
"""

from __future__ import annotations

import argparse
import sys

from pytest_concurrency.cli.commands import add_fail, limits_of, terminal_width
from pytest_concurrency.cli.git_worktrees import checked_out, measure, set_up
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
    parser.add_argument("--times", type=int, default=2, metavar="N", help="sessions of each revision [2]")
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
    if arguments.times < 1:
        raise CommandError(f"--times={arguments.times}: at least one session of each is needed")
    with checked_out([arguments.base, arguments.head]) as trees:
        base, head = trees
        if base.commit == head.commit:
            raise CommandError(f"{base.ref} and {head.ref} are the same commit: nothing can have changed. Name two")
        for tree in trees:
            _say(f"{tree.ref}: {tree.commit[:12]}")
            if arguments.setup:
                set_up(tree, arguments.setup)
        # Base, head, head, base: a drift of the machine affects both.
        turns = [[base, head] if turn % 2 == 0 else [head, base] for turn in range(arguments.times)]
        order = [tree for pair in turns for tree in pair]
        runs = {base: [], head: []}  # type: ignore[var-annotated]
        for number, tree in enumerate(order, 1):
            _say(f"session {number} of {len(order)}: {tree.ref}")
            runs[tree].append(measure(tree, arguments.python, arguments.rest))
    found = compare_sessions(runs[base], runs[head], wanted)
    if found.differences:
        raise CommandError(f"the two environments cannot be compared: {'; '.join(found.differences)}")
    for line in lines_of(found, terminal_width()):
        print(line.text)
    return 1 if found.regressions else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
