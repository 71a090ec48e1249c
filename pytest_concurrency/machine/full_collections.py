"""Keeps the garbage collector's full collections out of what is measured."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
from collections.abc import Iterator

from pytest_concurrency.machine.clocks import CLOCKS

_NEVER = 1_000_000  # as the threshold of the oldest generation; a body may compute with it, so it is no larger
_PART = 0.1  # full collections that make up for postponed ones take this part of the time at most


class FullCollections:
    """Full collections of this interpreter, which walk all objects of its process and hold the GIL meanwhile.

    Without this, code that makes many objects has one in every n-th call. In the process of a large test suite, it may
    take longer than the call itself. Collections of young objects, and those that the code calls, happen as usual.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._usual = 0  # the threshold of the oldest generation; 0 while nothing is postponed
        self._not_before = 0.0

    @contextlib.contextmanager
    def postponed(self) -> Iterator[None]:
        """Let none start by itself during the ``with`` block."""
        with self._lock:
            self._depth += 1
            if self._depth == 1 and gc.isenabled():
                first, second, self._usual = gc.get_threshold()
                if self._usual:  # otherwise, as with an incremental collector, there are no full collections
                    gc.set_threshold(first, second, _NEVER)
        try:
            yield
        finally:
            with self._lock:
                self._depth -= 1
                if self._depth == 0:
                    self.restore()

    def restore(self) -> None:
        """End what :meth:`postponed` began, unless the code has set a threshold of its own."""
        first, second, oldest = gc.get_threshold()
        if self._usual and oldest >= _NEVER:
            gc.set_threshold(first, second, self._usual)
        self._usual = 0

    def catch_up(self) -> None:
        """Make up for postponed ones; call this outside of what is measured.

        Without this, garbage of code that runs again and again in postponed collections would pile up.
        """
        threshold, begun = gc.get_threshold()[2], CLOCKS.wall()
        if gc.isenabled() and 0 < threshold < gc.get_count()[2] and begun >= self._not_before:
            gc.collect()
            now = CLOCKS.wall()
            self._not_before = now + (now - begun) / _PART

    def in_child(self) -> None:
        """Postpone nothing in a process that code has forked meanwhile, and that may live on."""
        self._lock = threading.Lock()
        self._depth = 0
        self.restore()


FULL_COLLECTIONS = FullCollections()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=FULL_COLLECTIONS.in_child)
