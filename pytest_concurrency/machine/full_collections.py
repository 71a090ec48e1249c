"""Keeps the garbage collector's full collections out of what is measured."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

from pytest_concurrency.machine.clocks import CLOCKS

_NEVER = 1_000_000_000  # as the threshold of the oldest generation
_PART = 0.1  # of the time since the last one, that full collections take at most


class FullCollections:
    """Full collections of this interpreter, which walk all objects of its process and hold the GIL meanwhile.

    Without this, code that makes many objects has one in every n-th call. In the process of a large test suite, it may
    take longer than the call itself. Collections of young objects, and those that the code calls, happen as usual.
    """

    def __init__(self) -> None:
        self._not_before = 0.0

    @contextlib.contextmanager
    def postponed(self) -> Iterator[None]:
        """Let none start by itself during the ``with`` block; make up for them afterwards."""
        if not gc.isenabled():
            yield
            return
        usual = gc.get_threshold()
        during = (*usual[:2], _NEVER)
        gc.set_threshold(*during)
        try:
            yield
        finally:
            if gc.get_threshold() == during:  # the code may have set others
                gc.set_threshold(*usual)
            self._catch_up(usual[2])

    def _catch_up(self, threshold: int) -> None:
        begun = CLOCKS.wall()
        if gc.isenabled() and gc.get_count()[2] > threshold and begun >= self._not_before:
            gc.collect()
            now = CLOCKS.wall()
            self._not_before = now + (now - begun) / _PART


FULL_COLLECTIONS = FullCollections()
