"""Lets the workers of a verdict run the body once more, while a sampling profiler looks into them from outside."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_concurrency.backends import OPENERS, open_workers
from pytest_concurrency.backends.base import WorkerGroup
from pytest_concurrency.backends.environment import WorkerEnvironment
from pytest_concurrency.core.errors import ConcurrencyError
from pytest_concurrency.core.model import Body
from pytest_concurrency.core.outcomes import Arm, Outcome
from pytest_concurrency.core.units import duration
from pytest_concurrency.engine.plan import WorkerSetup
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.profiling import samplers, worker_stacks
from pytest_concurrency.profiling.model import Flame

_SECONDS = 1  # of sampling: a thousand samples of each worker
_BATCH = 0.05  # seconds that the workers run between two looks whether the sampler has ended
_MOST_PROCESSES = 4  # each has a sampler of its own, which takes a part of a CPU
_PR_SET_PTRACER = 0x59616D61
_MOST_TOLD = 160
_ALLOW = (
    "Allow it: run as root, set kernel.yama.ptrace_scope=0 with sysctl, or start the container with "
    "--cap-add=SYS_PTRACE."
)


class CannotSample(Exception):
    """Says why there is no profile of the workers, in one sentence."""


def sample(
    body: Body, outcomes: Sequence[Outcome], around: WorkerEnvironment, tool: str, mode: str, seconds: float
) -> Flame:
    """Return where the workers of some verdicts were.

    :param seconds: how long all of it may take.
    :raises CannotSample: they are not of this plugin, or the sampler cannot look into them.
    :raises Raised: the body raised.
    :raises Hung: it did not come back.
    """
    setup, who = _setup_of(outcomes, body)
    end = CLOCKS.wall() + seconds
    try:
        group = open_workers(setup, body, replace(around, borrowed_loop=None))
    except ConcurrencyError as error:
        raise CannotSample(f"The workers could not be started once more: {error}") from None
    with contextlib.closing(group), tempfile.TemporaryDirectory(prefix="pytest-concurrency-") as folder:
        processes = [os.getpid()] if group.one_process else list(group.native_ids)[:_MOST_PROCESSES]
        loops = _loops(group, setup, body, end)
        is_async = setup.one_thread
        commands = [
            command
            for process in processes
            for command in samplers.commands(tool, process, mode, _SECONDS, str(Path(folder, str(process))), is_async)
        ]
        with _started(commands, tool) as running:
            while any(one.poll() is None for one in running):
                left = end - CLOCKS.wall()
                if left <= 0:
                    raise CannotSample(f"{tool} had not ended when max_time={duration(seconds)} was over.")
                _batch(group, setup, body, loops, left)
            for one in running:
                _check(one, tool)
        stacks = [
            stack
            for output in sorted(Path(folder).iterdir())
            for stack in samplers.read(tool, output.read_text(encoding="utf-8", errors="replace"))
        ]
    return worker_stacks.flame(stacks, who, mode)


def _setup_of(outcomes: Sequence[Outcome], body: Body) -> tuple[WorkerSetup, str]:
    """Return the workers with the most of their kind in some verdicts, and what to call them.

    :raises CannotSample: they are not of this plugin.
    """
    arms: list[Arm] = [arm for outcome in outcomes for arm in outcome.arms]
    widest = max(arms, key=lambda arm: arm.workers)
    if widest.backend == "compare":
        return WorkerSetup("tasks" if body.is_async else "threads"), "the second function"
    if widest.backend not in OPENERS:
        raise CannotSample("Workers of an executor are not looked into.")
    setup = WorkerSetup(widest.backend, widest.workers)
    return setup, setup.who()


def _loops(group: WorkerGroup, setup: WorkerSetup, body: Body, end: float) -> int:
    """Run the body once in each worker, and return how often it fits into a batch."""
    began = CLOCKS.wall()
    _batch(group, setup, body, 1, end - began)
    each = max(1e-6, CLOCKS.wall() - began)
    return 1 if body.prepare is not None else max(1, math.floor(_BATCH / each))


def _batch(group: WorkerGroup, setup: WorkerSetup, body: Body, loops: int, left: float) -> None:
    if body.prepare is not None:
        group.run(setup.group_size, 1, left, "prepare")
    group.run(setup.group_size, loops, left)


@contextlib.contextmanager
def _started(commands: Sequence[Sequence[str]], tool: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start the samplers, and end those that still run."""
    running: list[subprocess.Popen[bytes]] = []
    _let_look(os.getpid())
    try:
        for command in commands:
            running.append(
                subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            )
        yield running
    except OSError as error:
        raise CannotSample(f"{tool} could not be started: {error}.") from None
    finally:
        for one in running:
            if one.poll() is None:
                one.kill()
            one.communicate()
        _let_look(0)


def _let_look(process: int) -> None:
    """Let a process and its children look into this one; 0 ends that. Yama of Linux allows it to ancestors only."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PTRACER, process, 0, 0, 0)


def _check(ended: subprocess.Popen[bytes], tool: str) -> None:
    """Find out whether a sampler did its work.

    :raises CannotSample: it did not.
    """
    if ended.returncode == 0:
        return
    assert ended.stderr is not None
    said = ended.stderr.read().decode("utf-8", "replace")
    if any(word in said.lower() for word in ("permission", "ptrace", "operation not permitted")):
        raise CannotSample(f"{tool} may not look into the workers: the system does not permit it. {_ALLOW}")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    why = lines[-1][:_MOST_TOLD] if lines else f"exit status {ended.returncode}"
    raise CannotSample(f"{tool} could not look into the workers: {why.rstrip('.')}.")
