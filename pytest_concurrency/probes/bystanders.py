"""Which threads of this process work for the test body, and which compute for themselves beside it.

The one place that says who is meant wherever CPU time is taken off a reading, or counted as help:

* The thread that measures is neither.
* A thread that runs the test body is the body's, even if it was there before: the loop of pytest-asyncio or anyio.
* A thread that started after the body was first called is the body's.
* A thread that was there before is a *bystander*: an exporter's, a watchdog's. It is the body's nevertheless if it
  computes in several batches and in none of the pauses after them, as the threads of a pool do that an earlier test
  has started. Until that is known, readings that depend on it say nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from typing import Literal

from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes.thread_clock import active_of, computed_by, growth

Whose = Literal["theirs", "the body's", "unclear"]

_PROBES = ("concurrency-heartbeat", "concurrency-looker")  # names of threads
_NOTABLE = 0.1  # part of a batch's time from which on it matters whose thread it is
_IDLE = 0.05  # part of a pause that a thread may compute which still ends what a batch has made it do
_TIMES = 8  # a thread that has nothing to do with the batches is seen in so many, and in no pause, once in 2 ** 8 tests
_SECONDS = 0.5  # that one look may take
_PAUSE = 0.005, 0.05  # seconds that a pause takes, at least and at most


def probe_ids() -> list[int]:
    """Return the system's numbers of the threads that watch a batch at this moment, and must not be kept from a CPU."""
    return [thread.native_id for thread in threading.enumerate() if thread.name in _PROBES and thread.native_id]


def native_ids(runs_body: int | None = None) -> tuple[int, ...]:
    """Return the system's numbers of the threads that are alive before the test body starts any of its own.

    The calling thread measures, and is none of them.

    :param runs_body: the number of a thread that was there before and runs the test body: that of an event loop which
        pytest-asyncio or anyio started. Without this, what the body computes there would be taken off its own block
        of the loop, and a block by computing was never certain.
    """
    own = {threading.get_native_id(), runs_body}
    return tuple(
        thread.native_id for thread in threading.enumerate() if thread.native_id and thread.native_id not in own
    )


class Bystanders:
    """The bystanders of one test's measurements."""

    def __init__(self, threads: Collection[int]) -> None:
        """Take these for bystanders, until something else shows."""
        self._threads = set(threads)
        self._idle_never: set[int] = set()  # those that have computed in a pause, and stay bystanders
        self._batches: dict[int, int] = {}  # in how many batches each of the others has computed

    @property
    def ids(self) -> frozenset[int]:
        """The system's numbers of all bystanders."""
        return frozenset(self._threads)

    def used(self) -> dict[int, float]:
        """CPU time of each bystander so far, in seconds; without those that have ended."""
        return computed_by(self._threads)

    def active(self) -> dict[int, float]:
        """Seconds for which each of them was running or ready to run so far, and may have held the GIL."""
        return active_of(self._threads)

    def computed(self, before: Mapping[int, float]) -> float:
        """CPU time of all of them, in seconds, since :meth:`used` has said so."""
        return growth(before, self.used())

    def ask(self, before: Mapping[int, float], seconds: float, batch: Callable[[], float]) -> Whose:
        """Find out whose those are that computed notably in a batch, as far as it is not known yet.

        :param before: what :meth:`used` said before that batch, which took so many ``seconds``.
        :param batch: runs another one, and returns the seconds that it took.
        :return: ``theirs`` if all of them are bystanders; ``the body's`` if some turned out to be no bystanders, so
            that readings of that batch missed their part; ``unclear`` if that may be so.
        """
        began, found = CLOCKS.wall(), False
        while active := self._busy(before, seconds * _NOTABLE) - self._idle_never:
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
        open_ = set(self._batches) & self._threads - self._idle_never
        return "the body's" if found else "unclear" if open_ else "theirs"

    def _busy(self, before: Mapping[int, float], seconds: float) -> set[int]:
        """Return the bystanders that have computed for longer."""
        return {thread for thread, used in self.used().items() if used - before.get(thread, used) > seconds}
