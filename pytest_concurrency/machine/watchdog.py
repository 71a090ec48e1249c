"""Watchdog: a process outside the session that takes real-time priority away from a batch that hangs.

The thread that waits for a batch has the priority too, and ends a batch that hangs. It cannot do so if the batch keeps
the GIL (a regular expression that never ends), if the session is stopped (``SIGSTOP``), or if the session is killed
while its processes compute. The watchdog then gives the threads the ordinary priority.

A batch costs some writes to memory that both processes share. The watchdog checks it once a second, and ends with this
process.
"""

from __future__ import annotations

import contextlib
import functools
import mmap
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

# By name: a test may replace what the module has, and would see a call of ours, or answer it.
from subprocess import DEVNULL, Popen, SubprocessError, TimeoutExpired

from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.watchdog_main import HEAD, MOST, SIZE, THREAD

_START = 10.0  # seconds that the watchdog may take to start
_SCRIPT = Path(__file__).with_name("watchdog_main.py")
_IDLE = HEAD.pack(0.0, 0, 0)


def start() -> bool:
    """Start the watchdog of this process if there is none; return whether there is one."""
    return _memory(os.getpid()) is not None


@contextlib.contextmanager
def watching(threads: Sequence[int], seconds: float, inherited: bool = False) -> Iterator[None]:
    """Let these threads lose real-time priority if the block lasts longer than that; without a watchdog, do nothing.

    :param inherited: whether what they start may have it too, and must lose it as well.
    """
    memory = _memory(os.getpid())
    if memory is None:
        yield
        return
    before = memory[:SIZE]  # of a batch that another one interrupts
    known = threads[:MOST]
    memory[HEAD.size : HEAD.size + THREAD.size * len(known)] = b"".join(map(THREAD.pack, known))
    memory[: HEAD.size] = HEAD.pack(CLOCKS.wall() + seconds, len(known), inherited)
    try:
        yield
    finally:
        memory[: HEAD.size] = _IDLE
        memory[HEAD.size :] = before[HEAD.size :]
        memory[: HEAD.size] = before[: HEAD.size]


@functools.cache
def _memory(process: int) -> mmap.mmap | None:
    """Start the watchdog of this process, and return the memory shared with it; None if there can be no watchdog."""
    if not (hasattr(os, "memfd_create") and hasattr(os, "pidfd_open") and sys.executable and _SCRIPT.exists()):
        return None
    try:
        file = os.memfd_create("pytest-concurrency-perf")
    except OSError:
        return None
    try:
        os.ftruncate(file, SIZE)
        # Isolated, and without site: a .pth file would start tools such as coverage in the watchdog too.
        command = [sys.executable, "-I", "-S", str(_SCRIPT), str(file), str(process)]
        done = Popen(
            command,
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=DEVNULL,
            pass_fds=[file],
            start_new_session=True,  # without this, Ctrl-C would end it
        )
        with done:
            try:
                return mmap.mmap(file, SIZE) if done.wait(_START) == 0 else None
            except TimeoutExpired:
                done.kill()
                return None
    except (OSError, SubprocessError):
        return None
    finally:
        os.close(file)
