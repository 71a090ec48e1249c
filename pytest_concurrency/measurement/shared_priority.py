"""A higher priority for code that has others work for it: for these as well.

They are what the code starts, a lasting pool that it hands work to, or a server in a child process of the session that
it asks. At the ordinary priority, other programs would keep these from the CPUs while the code waits for them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager

from pytest_concurrency.machine import inherited_priority, priority, task_tree
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.priority import PATIENCE, Priority
from pytest_concurrency.probes import process_usage

_PAUSE = 0.01  # seconds in which it shows who goes on without any batch
_NOTABLE = 0.05  # part of a pause that a thread computes which works for no batch


class SharedPriority:
    """The priority that the batches of one bench share with all that works for them."""

    def __init__(self, higher: Priority, realtime: bool = False) -> None:
        """``higher`` is the priority of the session's batches.

        :param realtime: whether it may be real-time priority, for a bench that finds the batches in which threads had
            to share a CPU.
        """
        # Under the round robin of real-time priority, threads that share a CPU take turns of 100 ms: a body that starts
        # processes in four tasks read as 3.9x as fast, which was 2.3x.
        self._nice: Priority = priority.choose("nice") if higher.kind == "realtime" else higher
        self.higher: Priority = higher if realtime else self._nice
        self.needs_right: bool = higher.needs_right
        self._helpers: set[int] | None = None  # None until they are known
        self._orphans: set[int] | None = None  # of this session before anything was raised; None until then

    @contextlib.contextmanager
    def learning(self) -> Iterator[None]:
        """Note which threads work for batches, that run at the ordinary priority in this block."""
        if self.higher.kind == "off":
            yield
            return
        before = process_usage.everyone()
        yield
        found = process_usage.active_since(before).keys() - {threading.get_native_id()}
        if found:
            idle = process_usage.everyone()
            CLOCKS.sleep(_PAUSE)
            went_on = process_usage.active_since(idle).items()
            found -= {thread for thread, (cpu, _) in went_on if cpu > _PAUSE * _NOTABLE}
        self._helpers = found

    @property
    def known(self) -> bool:
        """Whether it is known which threads work for batches, or does not matter."""
        return self.higher.kind == "off" or self._helpers is not None

    def raised(
        self, workers: Collection[int] = (), seconds: float = PATIENCE, probed: bool = False
    ) -> AbstractContextManager[bool]:
        """Return what raises the calling thread and its helpers from its entry to its exit, once these are known.

        :param workers: native ids of further threads that run the batch.
        :param seconds: time after which real-time priority is taken away.
        :param probed: whether a probe observes the batch. Such a batch never gets real-time priority: a thread that
            holds the GIL could wait for a whole turn of another one, which is 100 ms.
        :return: the context's value is whether no other program can take a CPU from any of these threads.
        """
        higher = self._nice if probed else self.higher
        if higher.kind == "off" or self._helpers is None:
            return contextlib.nullcontext(False)
        if self._orphans is None:
            self._orphans = {thread for _, thread in task_tree.orphans()}
        return inherited_priority.raised(higher, self._helpers.union(workers), seconds)

    def use_nice(self) -> None:
        """Use the lowest nice value from now on, instead of real-time priority."""
        self.close()
        self.higher = self._nice

    def close(self) -> None:
        """Give the ordinary priority to processes that have it still and are no descendants of this one any more."""
        if self._orphans is not None:
            for higher in {self.higher, self._nice}:
                if higher.kind != "off":
                    inherited_priority.lower_orphans(higher, self._orphans)
