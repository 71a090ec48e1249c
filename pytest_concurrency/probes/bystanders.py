"""Bystanders: threads of this process that compute during a batch, but not for the test body.

This module alone decides whose CPU time is subtracted from a reading, and whose counts as help for the body:

* The thread that measures is in neither group.
* A thread that runs the test body belongs to the body, even if it existed before: the event-loop thread of
  pytest-asyncio or anyio.
* A thread that started after the body's first call belongs to the body.
* A thread that existed before is a *bystander*, such as the thread of an exporter or a watchdog. It belongs to the body
  after all if it computes in several batches and in none of the pauses after them. The threads of a pool that an
  earlier test started do so. Until that is known, readings that depend on it give no result.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from typing import Literal

from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes.thread_clock import active_of, computed_and_active, computed_by, growth

Whose = Literal["theirs", "the body's", "unclear"]

_PROBES = ("concurrency-heartbeat", "concurrency-looker")  # names of this plugin's threads
_NOTABLE = 0.1  # a thread that computes for at most this part of a batch's time is ignored
_IDLE = 0.05  # a thread may compute for this part of a pause, to finish what a batch has made it do
_TIMES = 8  # an unrelated thread computes in this many batches and in none of the pauses in one of 2 ** 8 tests
_SECONDS = 0.5  # time limit of one ask()
_PAUSE = 0.005, 0.05  # seconds; the shortest and the longest pause


def probe_ids() -> list[int]:
    """Return the native ids of the threads that observe the current batch; each must get a CPU when it needs one."""
    return [thread.native_id for thread in threading.enumerate() if thread.name in _PROBES and thread.native_id]


def native_ids(runs_body: int | None = None) -> tuple[int, ...]:
    """Return the native ids of the threads that exist before the test body starts its own.

    The calling thread is left out, because it measures.

    :param runs_body: native id of an existing thread that runs the test body: the thread of an event loop which
        pytest-asyncio or anyio started. Without this, what the body computes there would be subtracted from its own
        event-loop block, and a block by computing would never be certain.
    """
    own = {threading.get_native_id(), runs_body}
    return tuple(
        thread.native_id for thread in threading.enumerate() if thread.native_id and thread.native_id not in own
    )


class Bystanders:
    """The bystanders of one test's measurements."""

    def __init__(self, threads: Collection[int]) -> None:
        """``threads`` are native ids; each counts as a bystander until it is found to work for the body."""
        self._threads = set(threads)
        self._idle_never: set[int] = set()  # have computed in a pause, and so stay bystanders
        self._batches: dict[int, int] = {}  # by thread: the number of batches in which it has computed

    @property
    def ids(self) -> frozenset[int]:
        """Native ids of all bystanders."""
        return frozenset(self._threads)

    def used(self) -> dict[int, float]:
        """CPU time of each bystander so far, in seconds; without those that have ended."""
        return computed_by(self._threads)

    def active(self) -> dict[int, float]:
        """Seconds for which each of them was running or ready to run so far, and may have held the GIL."""
        return active_of(self._threads)

    def used_and_active(self) -> tuple[dict[int, float], dict[int, float]]:
        """Return both, by one reading of each thread."""
        return computed_and_active(self._threads)

    def computed(self, before: Mapping[int, float]) -> float:
        """CPU time of all bystanders, in seconds, since :meth:`used` returned ``before``."""
        return growth(before, self.used())

    def ask(self, before: Mapping[int, float], seconds: float, batch: Callable[[], float]) -> Whose:
        """Find out whether the threads that computed notably in a batch are bystanders; run more batches if necessary.

        :param before: what :meth:`used` returned before that batch, which took ``seconds``.
        :param batch: runs another batch, and returns its duration in seconds.
        :return: ``theirs`` if all are bystanders; ``the body's`` if some turned out to work for the body, so that
            readings of that batch missed their part; ``unclear`` if that is still possible.
        """
        began, found = CLOCKS.wall(), False
        active = self._busy(before, seconds * _NOTABLE) - self._idle_never
        asked = active | self._open_since(before, seconds)
        while active:
            for thread in active:
                self._batches[thread] = self._batches.get(thread, 0) + 1
            pause = min(max(seconds, _PAUSE[0]), _PAUSE[1])
            used = self.used()
            CLOCKS.sleep(pause)
            self._idle_never |= self._busy(used, pause * _IDLE)
            bodys = {thread for thread, times in self._batches.items() if times >= _TIMES} - self._idle_never
            found |= bool(bodys & self._threads)
            self._threads -= bodys
            if not active - bodys - self._idle_never or CLOCKS.wall() - began + seconds > _SECONDS:
                break
            before = self.used()
            seconds = batch()
            active = self._busy(before, seconds * _NOTABLE) - self._idle_never
        open_ = asked & self._threads - self._idle_never
        return "the body's" if found else "unclear" if open_ else "theirs"

    def _open_since(self, before: Mapping[int, float], seconds: float) -> set[int]:
        """Return the threads of which it is open whose they are, if these have computed notably together.

        The server of a fixture may have computed in the first batch, to accept connections, and hardly in later ones.
        """
        unsure = self._threads.intersection(self._batches) - self._idle_never
        return unsure if growth(before, computed_by(unsure)) > seconds * _NOTABLE else set()

    def _busy(self, before: Mapping[int, float], seconds: float) -> set[int]:
        """Return the bystanders that have computed for more than ``seconds`` since ``before``."""
        return {thread for thread, used in self.used().items() if used - before.get(thread, used) > seconds}
