"""Leftovers: threads and child processes of this process that a test body leaves running.

A leftover meets all of these conditions:

* It did not exist before the body's first call.
* It still runs some time after the last call.
* It, or another one of the same kind, was seen to be started for the body in one of its first calls, which are not
  timed. What an older thread starts (the thread of a server or a watchdog) does not belong to the body.

A thread of a pool is judged by its pool. A pool that existed before does not belong to the body, whenever its threads
start. Pools that a library keeps for the whole session and Python's own helper processes are excluded too.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from multiprocessing import process as multiprocessing_process
from typing import Any, Literal, NamedTuple

from pytest_concurrency.core.leftovers import Leftover, merged
from pytest_concurrency.core.text import shortened
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.originals import open_file
from pytest_concurrency.probes import bystanders, creation_sites, process_usage, thread_clock
from pytest_concurrency.probes.creation_sites import CreationSites, Made

GRACE = 1.0  # seconds that threads, processes and tasks get to end
_PAUSE = 0.002, 0.05  # seconds between two checks, at first and at most
_LONGEST_COMMAND = 60  # characters
# Modules whose threads and processes are kept for later calls, or end with what they serve.
_LASTING = re.compile(
    r"trio\._core|anyio\.|tqdm\.|(joblib\.externals\.)?loky\."
    r"|multiprocessing\.(queues|resource_sharer)|concurrent\.futures\.process"
)
_HELPERS = ("resource_tracker import main", "semaphore_tracker import main", "forkserver import main")
_OWN = "concurrency-"  # prefix of the names of this plugin's threads and processes


class _Found(NamedTuple):
    number: tuple[Literal["thread", "process"], int]  # native thread id or process id
    what: str
    made: Made | None


class Leftovers:
    """Finds what one body leaves running in this process; created before the body starts anything."""

    def __init__(self, runs_body: int | None = None, inside: str = "", children: bool = True) -> None:
        """Record what is running now; nothing that the body starts may be running yet.

        :param runs_body: native id of an existing thread, other than the calling one, that runs the test body: the
            thread of an event loop.
        :param inside: which worker's process this is; empty for the process of the test.
        :param children: whether every child process of this process may belong to the body. In a subinterpreter, only
            those do that the body was seen to start.
        """
        self._inside = inside
        self._all_children = children
        self._threads = {thread.native_id for thread in threading.enumerate()}
        self._children = set(_children())
        self.bystanders: frozenset[int] = frozenset(bystanders.native_ids(runs_body))  # native ids of other threads
        self._sites = CreationSites(self.bystanders)
        self._first = True
        self._known: set[tuple[str, int]] = set()  # what an earlier check has found

    def recording(self) -> CreationSites:
        """Return a context that records all that is started in it; for calls of the body that are not timed."""
        return self._sites

    def first_call(self) -> AbstractContextManager[object]:
        """Return the recording context at the first use, and afterwards a context that does nothing."""
        first, self._first = self._first, False
        return self._sites if first else nullcontext()

    def found(self) -> tuple[Leftover, ...]:
        """Return what is left running, after it had time to end."""
        limit, pause = CLOCKS.wall() + GRACE, _PAUSE[0]
        while found := list(self._look()):
            if self._known.issuperset(one.number for one in found) or CLOCKS.wall() >= limit:
                break
            CLOCKS.sleep(pause)
            pause = min(2 * pause, _PAUSE[1])
        self._known.update(one.number for one in found)
        return merged(
            Leftover(one.number[0], one.what, "" if one.made is None else one.made.place, self._inside) for one in found
        )

    def _look(self) -> Iterator[_Found]:
        if not self._sites.made and not self._all_children:
            return
        me = threading.get_native_id()
        for thread in threading.enumerate():
            number = thread.native_id
            if number is None or number == me or number in self._threads or thread.name.startswith(_OWN):
                continue
            if (made := self._maker_of_thread(thread)) is not None:
                yield _Found(("thread", number), _thread_in_words(thread), made)
        yield from self._processes()

    def _maker_of_thread(self, thread: threading.Thread) -> Made | None:
        """Return where the body has started a thread or the thread's pool; None if it has not."""
        target = creation_sites.target_of(thread)
        if _LASTING.match(type(thread).__module__) or _LASTING.match(str(getattr(target, "__module__", ""))):
            return None
        if (pool := _pool_of(thread)) is not None:
            return self._maker_of_pool(pool)
        return self._started("thread", creation_sites.key_of_thread(thread))

    def _maker_of_pool(self, pool: Executor) -> Made | None:
        for made in self._sites.made:
            if made.pool is not None and made.pool() is pool:
                return None if made.by_bystander else made
        return self._started("pool", creation_sites.key_of_pool(pool))

    def _started(self, kind: str, key: str) -> Made | None:
        alike = [made for made in self._sites.made if made.kind == kind and made.key == key]
        return None if not alike or any(made.by_bystander for made in alike) else alike[-1]

    def _processes(self) -> Iterator[_Found]:
        ours = {process.pid: process for process in multiprocessing_process.active_children()}
        pools: dict[int, Executor] = {}
        if ours:
            for thread in threading.enumerate():
                pool = _pool_of(thread)
                if pool is not None:
                    pools.update(dict.fromkeys(getattr(thread, "processes", None) or (), pool))
        for number in sorted({*_children(), *(pid for pid in ours if pid)} - self._children):
            process = ours.get(number)
            if process is not None:
                made = self._maker_of_process(process, pools.get(number))
                if made is not None and process.is_alive():
                    yield _Found(("process", number), _in_words(f"{number} ({process.name})", _command(number)), made)
                continue
            command = _command(number)
            if command and not any(helper in command for helper in _HELPERS):
                made, is_bodys = self._maker_of_child(number, command)
                if is_bodys:
                    yield _Found(("process", number), _in_words(str(number), command), made)

    def _maker_of_process(self, process: multiprocessing_process.BaseProcess, pool: Executor | None) -> Made | None:
        if process.name.startswith(_OWN) or _LASTING.match(type(process).__module__):
            return None
        if pool is not None:
            return self._maker_of_pool(pool)
        return self._started("process", creation_sites.key_of_process(process))

    def _maker_of_child(self, number: int, command: str) -> tuple[Made | None, bool]:
        """Return where a child process was started, if that is known, and whether it belongs to the body."""
        known = [made for made in self._sites.made if made.kind == "process"]
        program = command.partition(" ")[0].rpartition("/")[2]
        for alike in (
            [made for made in known if made.number == number],
            [made for made in known if made.key == command],
            [made for made in known if made.key.partition(" ")[0].rpartition("/")[2] == program],
        ):
            if alike:
                return alike[-1], not any(made.by_bystander for made in alike)
        return None, self._all_children


def _thread_in_words(thread: threading.Thread) -> str:
    target = creation_sites.target_of(thread)
    if target is None or _pool_of(thread) is not None:
        return thread.name
    name = creation_sites.key_of_thread(thread).rpartition(".")[2]
    return thread.name if f"({name})" in thread.name else f"{thread.name} (target {name})"


def _pool_of(thread: threading.Thread) -> Executor | None:
    """Return the standard library's executor that a thread works for, if the executor still exists."""
    reference: Any = getattr(thread, "executor_reference", None)  # the manager thread of a process pool has it
    target = creation_sites.target_of(thread)
    if reference is None and getattr(target, "__module__", "") == "concurrent.futures.thread":
        arguments = getattr(thread, "_args", ())
        reference = arguments[0] if arguments else None
    found = reference() if callable(reference) else None
    return found if isinstance(found, Executor) else None


def _children() -> list[int]:
    """Return the ids of this process's child processes, as far as the system shows them."""
    if thread_clock.unavailable() is None:
        return process_usage.children()
    with contextlib.suppress(Exception):  # psutil is missing, or cannot read them
        import psutil

        return [child.pid for child in psutil.Process().children()]
    return []


def _command(number: int) -> str:
    """Return the command line of a process; empty if it has ended."""
    with contextlib.suppress(OSError), open_file(f"/proc/{number}/cmdline", "rb") as file:
        words = file.read().rstrip(b"\0").split(b"\0")
        return " ".join(os.fsdecode(word) for word in words)
    with contextlib.suppress(Exception):
        import psutil

        return " ".join(psutil.Process(number).cmdline())
    return ""


def _in_words(process: str, command: str) -> str:
    """``4711: python work.py``."""
    return f"{process}: {shortened(command, _LONGEST_COMMAND)}" if command else process
