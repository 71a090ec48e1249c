"""A lock between processes, shared or exclusive, on an empty SQLite file.

The lock is a transaction, as in filelock's ``ReadWriteLock``, but on a connection that stays open: filelock opens the
file anew each time, which costs an ordinary test more than the rest of this plugin does (``benchmarks/quiet_host.py``
has both figures). The operating system releases the lock when the process ends, however it ends.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


class Unavailable(Exception):
    """Exclusive host access cannot be had here; the message says why."""


class FileLock:
    """A lock between processes, shared or exclusive. Each attempt has a time limit.

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
        """Take it shared, if that is possible at once."""
        # Nothing is locked before the first statement that reads.
        return self._take("BEGIN", "SELECT 1 FROM sqlite_master LIMIT 1")

    def exclude(self, wait_ms: int = 0) -> bool:
        """Take it exclusively. While this waits, no other process can take it shared."""
        return self._take(f"PRAGMA busy_timeout = {wait_ms}", "BEGIN EXCLUSIVE", "PRAGMA busy_timeout = 0")

    def release(self) -> None:
        """Release it, whether it was taken shared or exclusively; do nothing if it was not taken."""
        if self._connection.in_transaction:
            self._connection.rollback()

    def close(self) -> None:
        self._connection.close()

    def _take(self, *statements: str) -> bool:
        try:
            if not self._ready:
                # A journal file of a killed process would remain, and keep all other processes from locking.
                self._connection.execute("PRAGMA journal_mode = MEMORY").fetchall()
                self._ready = True
            for statement in statements:
                self._connection.execute(statement).fetchall()
        except self._error as error:
            self.release()
            if "locked" in str(error):
                return False
            raise Unavailable(f"{self._path} cannot be locked: {error}") from None
        except BaseException:  # raised by a signal handler, such as that of a time limit
            self.release()
            raise
        return True


def folder() -> Path:
    """Return this user's folder for the locks of this host; create it if necessary.

    :raises Unavailable: it cannot be created, or belongs to another user.
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
