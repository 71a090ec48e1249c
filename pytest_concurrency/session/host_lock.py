"""Readers and a writer on one host: ordinary tests share it, a measurement has it for itself.

Three locks, shared or exclusive, which the operating system releases with the process:

- the *room*: a test holds it shared while it runs, a measurement holds it exclusively;
- the *lobby*: a test that finds the room taken holds it shared until it has entered. A measurement
  passes through it alone, so it goes behind all tests that an earlier measurement has held up;
- the *queue*: the measurement that comes next holds it, so one that has just ended goes behind it.

A waiting measurement keeps further tests out of the room: SQLite grants no shared lock while a
connection waits for an exclusive one. So measurements and tests take turns, and neither starves.

The locks are transactions on empty SQLite files, as in filelock's ``ReadWriteLock``, but on a
connection that stays open: that one opens the file anew each time, which costs an ordinary test more
than the rest of this plugin does (``benchmarks/quiet_host.py`` has both figures).
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_concurrency.core.units import duration
from pytest_concurrency.machine.clocks import CLOCKS

# Set while a session takes part. A session that one of its tests starts does not: the test itself
# keeps the room, and would be waited for in vain.
VARIABLE = "PYTEST_CONCURRENCY_QUIET_HOST"
_SLICE_MS = 50  # how long SQLite waits in one call, in which no signal is answered
_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.02
_LEAST_PATIENCE = 1.0


class Unavailable(Exception):
    """There can be no quiet host here; the message says why."""


@dataclass(frozen=True, slots=True)
class Lease:
    """How one measurement had the host: alone or not, after how many seconds, and why not."""

    alone: bool
    waited: float
    reason: str = ""


class Lock:
    """A lock between processes, shared or exclusive; no attempt waits longer than it says.

    :raises Unavailable: the file cannot be used, or this Python has no ``sqlite3``.
    """

    def __init__(self, path: Path) -> None:
        try:
            import sqlite3
        except ImportError:
            raise Unavailable("this Python has no sqlite3 module") from None
        self._error = sqlite3.Error
        self._ready = False
        self._path = path
        try:
            self._connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise Unavailable(f"{path} cannot be opened: {error}") from None

    def share(self) -> bool:
        """Take it together with others, if it can be had at once."""
        # Nothing is locked before the first statement that reads.
        return self._take("BEGIN", "SELECT 1 FROM sqlite_master LIMIT 1")

    def exclude(self, wait_ms: int = 0) -> bool:
        """Take it alone; meanwhile no one else gets a share."""
        return self._take(f"PRAGMA busy_timeout = {wait_ms}", "BEGIN EXCLUSIVE", "PRAGMA busy_timeout = 0")

    def release(self) -> None:
        """Give it back, in whichever way it was taken; nothing if it was not."""
        if self._connection.in_transaction:
            self._connection.rollback()

    def close(self) -> None:
        self._connection.close()

    def _take(self, *statements: str) -> bool:
        try:
            if not self._ready:
                # A journal in a file would outlive a process that is killed, and be in everybody's way.
                self._connection.execute("PRAGMA journal_mode = MEMORY").fetchall()
                self._ready = True
            for statement in statements:
                self._connection.execute(statement).fetchall()
        except self._error as error:
            self.release()
            if "locked" in str(error):
                return False
            raise Unavailable(f"{self._path} cannot be locked: {error}") from None
        except BaseException:  # a signal's handler, such as that of a time limit
            self.release()
            raise
        return True


class HostLock:
    """One process's part in the protocol."""

    def __init__(self, folder: Path, patience: float) -> None:
        self._room = Lock(folder / "room.db")
        self._lobby = Lock(folder / "lobby.db")
        self._queue = Lock(folder / "queue.db")
        self._patience = self._next_patience = patience
        self._process = os.getpid()
        self._present = False  # a test of this process is running
        self._threads = threading.Lock()
        self._inside = 0  # measurements in this process, one within the other or in several threads
        self._stay = Lease(False, 0.0)
        self._failure = ""

    def enter(self) -> None:
        """Begin an ordinary test: at once, or after the measurement that has the room."""
        self._present = True
        self._share()

    def leave(self) -> None:
        """End an ordinary test."""
        self._present = False
        if os.getpid() == self._process:
            self._room.release()

    def begin(self, progress: Callable[[str], None] | None = None) -> Lease:
        """Begin to measure: no other test that takes part runs until the end, unless they take too long to end."""
        if os.getpid() != self._process:
            return Lease(False, 0.0, "the test runs in a process that was forked for it")
        with self._threads:
            if not self._inside:
                self._stay = self._clear_room(progress)
            self._inside += 1
            return self._stay

    def end(self) -> None:
        """End what was begun."""
        if os.getpid() != self._process:
            return
        with self._threads:
            self._inside -= 1
            if not self._inside:
                self._room.release()
                if self._present:  # what is left of the test is ordinary
                    self._share()

    @contextlib.contextmanager
    def alone(self, progress: Callable[[str], None] | None = None) -> Iterator[Lease]:
        """Measure in a ``with`` block."""
        stay = self.begin(progress)
        try:
            yield stay
        finally:
            self.end()

    def close(self) -> None:
        """Give everything back; for the end of the session."""
        if os.getpid() == self._process:
            for lock in (self._room, self._lobby, self._queue):
                lock.close()

    def _share(self) -> None:
        with self._noting_failures():
            if self._failure or self._room.share():
                return
            waiting, seated = _Wait(self._patience), False
            try:
                while not waiting.over and not self._room.share():
                    seated = seated or self._lobby.share()
                    waiting.pause()
            finally:
                if seated:
                    self._lobby.release()

    def _clear_room(self, progress: Callable[[str], None] | None) -> Lease:
        waiting = _Wait(self._next_patience)
        alone = False
        # Whoever held a share while waiting to be alone would wait for another who does the same.
        self._room.release()
        with self._noting_failures():
            alone = not self._failure and self._take_room(waiting, progress)
            if not alone and not self._failure:
                self._room.share()
        if alone:
            self._next_patience = self._patience
            return Lease(True, waiting.seconds)
        if self._failure:
            return Lease(False, waiting.seconds, self._failure)
        # Something takes long here: the next measurements do not wait as long for it again.
        self._next_patience = max(min(_LEAST_PATIENCE, self._patience), self._next_patience / 10)
        return Lease(False, waiting.seconds, f"other tests did not end within {duration(waiting.limit)}")

    def _take_room(self, waiting: _Wait, progress: Callable[[str], None] | None) -> bool:
        try:
            while not self._queue.exclude():
                if waiting.over:
                    return False
                waiting.pause(progress)
            while not self._lobby_is_empty():
                if waiting.over:
                    return False
                waiting.pause(progress)
            while not self._room.exclude(_SLICE_MS):
                if waiting.over:
                    return False
                waiting.tell(progress)
            return True
        except BaseException:  # a time limit's signal may come when it has just been taken
            self._room.release()
            raise
        finally:
            self._lobby.release()
            self._queue.release()

    def _lobby_is_empty(self) -> bool:
        """Whether no one else measures, and all whom the last measurement has held up have entered; closes it then."""
        if not self._lobby.exclude():
            return False
        if self._room.share():
            self._room.release()
            return True
        # During someone's measurement the lobby belongs to those who wait for its end.
        self._lobby.release()
        return False

    @contextlib.contextmanager
    def _noting_failures(self) -> Iterator[None]:
        try:
            yield
        except Unavailable as error:
            self._failure = str(error)


class _Wait:
    """A wait with an end, in pauses that grow."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._began = CLOCKS.wall()
        self._pause = _FIRST_PAUSE

    @property
    def seconds(self) -> float:
        return CLOCKS.wall() - self._began

    @property
    def over(self) -> bool:
        return self.seconds > self.limit

    def pause(self, progress: Callable[[str], None] | None = None) -> None:
        self.tell(progress)
        CLOCKS.sleep(self._pause)
        self._pause = min(self._pause * 1.5, _LONGEST_PAUSE)

    def tell(self, progress: Callable[[str], None] | None) -> None:
        if progress is not None:
            progress(f"waiting {self.seconds:.0f} s for a quiet host")


def folder() -> Path:
    """Return this user's folder for the locks of this host, made if need be.

    :raises Unavailable: it cannot be made, or belongs to someone else.
    """
    user = str(os.getuid()) if hasattr(os, "getuid") else "user"  # Windows has a temporary folder per user
    try:
        path = Path(tempfile.gettempdir(), f"pytest-concurrency-perf-{user}")
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise Unavailable(f"no folder for the lock: {error}") from None
    if hasattr(os, "getuid") and (
        not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022
    ):
        raise Unavailable(f"{path} is not a folder that only this user can write to: remove it")
    return path
