"""Stores the state of a rendezvous: in memory for threads and tasks, in a locked file for processes.

A file needs no server and no extra thread, does not outlive a killed process as a semaphore does, and a worker of
any executor on this host can open it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Protocol

from pytest_concurrency.instruments.ledger import Ledger
from pytest_concurrency.machine.clocks import CLOCKS


class Board(Protocol):
    """A store that gives the ledger to one worker at a time."""

    def open(self) -> contextlib.AbstractContextManager[Ledger]: ...


class MemoryBoard:
    """A store for the threads and tasks of one process."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = threading.RLock()

    @contextlib.contextmanager
    def open(self) -> Iterator[Ledger]:
        """Hold the ledger while the ``with`` block runs."""
        with self._lock:
            yield self._ledger


class FileBoard:
    """A store for processes of one host: a file, whose lock is released when the process that holds it ends."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._ledger = os.path.join(folder, "ledger.json")

    @classmethod
    def of(cls, ledger: Ledger) -> FileBoard:
        """Write a ledger to a file in a new folder."""
        board = cls(tempfile.mkdtemp(prefix="pytest-concurrency-gauge-"))
        with open(os.path.join(board.folder, "lock"), "wb"):
            pass
        board._write(ledger)
        return board

    @contextlib.contextmanager
    def open(self) -> Iterator[Ledger]:
        """Hold the ledger while the ``with`` block runs, then write what it has changed.

        :raises FileNotFoundError: the test that made the rendezvous has ended.
        """
        with open(os.path.join(self.folder, "lock"), "r+b") as file:
            _lock(file.fileno())
            try:
                with open(self._ledger, encoding="utf-8") as stored:
                    before = json.load(stored)
                ledger = Ledger.from_json(before)
                try:
                    yield ledger
                finally:  # without this, a failure that the block notes and raises would be forgotten
                    if ledger.to_json() != before:
                        self._write(ledger)
            finally:
                _unlock(file.fileno())

    def remove(self) -> None:
        """Remove the file and its folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self, ledger: Ledger) -> None:
        """Replace the file atomically. Otherwise, a process that is killed while writing would leave half a ledger."""
        new = self._ledger + ".new"
        with open(new, "w", encoding="utf-8") as file:
            json.dump(ledger.to_json(), file)
        os.replace(new, self._ledger)  # noqa: PTH105


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        while True:
            try:
                msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EDEADLK):  # what another process's lock is reported as
                    raise
                CLOCKS.sleep(0.001)
            else:
                return

    def _unlock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

    def _unlock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
