"""Who has the raised priority while a batch is measured: its workers, and whatever works for them.

That is what the measured code starts, a lasting pool that it hands work to, or a server in a child process of the
session that it asks. At the ordinary priority, other programs would keep these from the CPUs, and so would workers that
have a higher one and poll for them. Where a batch has such helpers, all get the lowest nice value, workers too.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from pytest_concurrency.core.model import Sample
from pytest_concurrency.machine import inherited_priority, priority
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.machine.priority import Priority
from pytest_concurrency.measurement import batch_size
from pytest_concurrency.probes import process_usage

_PAUSE = 0.01  # seconds in which it shows who goes on without any batch
_NOTABLE = 0.05  # part of a pause, or of a batch, from which on it matters that a thread was active

_NONE = 0.0, 0.0  # CPU time and run-queue delay
_ENOUGH = -20  # nice value at which a program with 0 takes no more than 1.2% of a CPU (sched(7))


class BatchPriority:
    """The priority of one bench's batches, and who else has it."""

    def __init__(
        self, higher: Priority, bystanders: Callable[[], Collection[int]] = tuple, helped: bool = False
    ) -> None:
        """Make it for a bench of which no batch has run yet.

        :param bystanders: returns the numbers of threads that work for no batch, as far as known.
        :param helped: whether threads or processes that a batch starts may work for it; seen if it is not known.
        """
        self.higher = higher
        # Not the real-time one: under its round robin, threads that share a CPU take turns of 100 ms, and a body that
        # starts processes in four tasks read as 3.9x as fast, which was 2.3x.
        self._for_all = priority.choose("nice") if higher.kind == "realtime" else higher
        self._helped = helped
        self._bystanders = bystanders
        self._helpers: set[int] = set()
        self._restless: set[int] = set()  # threads that compute for themselves
        self.is_undisturbed = False  # whether all that worked for the last batch had a priority that is high enough

    @contextlib.contextmanager
    def learning(self) -> Iterator[None]:
        """Note which threads work for a batch, that runs at the ordinary priority."""
        self.is_undisturbed = False
        if self.higher.kind == "off":
            yield
            return
        before, began = process_usage.everyone(), CLOCKS.wall()
        yield
        notable = (CLOCKS.wall() - began) * _NOTABLE
        active = process_usage.active_since(before)
        active.pop(threading.get_native_id(), None)
        # A pool that an earlier test has started is a bystander, too, until it has worked for some batches.
        idle_or_aside = {thread for thread in self._bystanders() if active.get(thread, _NONE)[0] < notable}
        found = active.keys() - idle_or_aside
        if found:
            idle = process_usage.everyone()
            CLOCKS.sleep(_PAUSE)
            went_on = process_usage.active_since(idle).items()
            self._restless |= {thread for thread, (cpu, _) in went_on if cpu > _PAUSE * _NOTABLE}
        self._helpers |= found - self._restless

    def raised(self, threads: Sequence[int], seconds: float) -> AbstractContextManager[None]:
        """Return what raises the threads of a batch, and its helpers if it has any, from its entry to its exit.

        :param threads: as the system numbers them, of this process and of its children.
        :param seconds: after which the watchdog takes real-time priority away.
        """
        self.is_undisturbed = False
        if self._helped or self._helpers.difference(threads):
            return nullcontext() if self._for_all.kind == "off" else self._with_helpers(threads)
        return priority.raised(self.higher, threads, seconds)

    @contextlib.contextmanager
    def _with_helpers(self, threads: Sequence[int]) -> Iterator[None]:
        with inherited_priority.raised(self._for_all, threads, self._helpers):
            before, began = process_usage.everyone(), CLOCKS.wall()
            yield
            notable = (CLOCKS.wall() - began) * _NOTABLE
            worked = process_usage.active_since(before)
            for thread in (threading.get_native_id(), *self._bystanders()):
                worked.pop(thread, None)
            self.is_undisturbed = self._for_all.nice <= _ENOUGH and all(
                sum(spent) < notable or priority.has(self._for_all, thread) for thread, spent in worked.items()
            )
            # Without this, a thread that a pool has just started would be lowered for good.
            self._helpers |= worked.keys() - self._restless

    def judged(self, sample: Sample) -> Sample:
        """Return the sample of the last batch; its helpers were not kept from a CPU if all had its priority."""
        # With less CPU time, a worker's start looks like help, and short bodies would never get real-time priority.
        telling = sample.cpu > batch_size.SHORTEST / 2
        self._helped |= telling and any(each.accounting == "unseen" for each in sample.readings)
        if not self.is_undisturbed:
            return sample
        readings = tuple(
            replace(each, accounting="raised") if each.accounting == "unseen" else each for each in sample.readings
        )
        return replace(sample, readings=readings)
