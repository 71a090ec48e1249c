"""The priority of a batch of workers: theirs alone, or that of the threads and processes that a body starts, too."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from pytest_concurrency.machine import priority, task_tree
from pytest_concurrency.machine.priority import Priority
from pytest_concurrency.measurement.shared_priority import SharedPriority
from pytest_concurrency.probes.bystanders import Bystanders, probe_ids

# Real-time priority is given up if more than this part of so many batches say nothing, as threads that compute for the
# body waited for each other's CPUs.
_CONTENDED, _BATCHES = 1 / 5, 5


class BatchPriority:
    """Raises the workers of one bench for the time of a batch."""

    def __init__(self, higher: Priority, known: Bystanders) -> None:
        """``higher`` is the priority of the session's batches; ``known`` are threads that work for no body."""
        self._higher = higher
        self._bystanders = known
        self._shared = SharedPriority(higher, realtime=True)
        self._realtime: list[bool] = []  # of each batch at real-time priority: whether it said nothing
        self.exclusive: bool = False  # whether no other program can take a CPU from the workers of the latest batch
        self._would_starve = False  # whether workers may keep processes that they wait for from the CPUs

    @property
    def needs_right(self) -> bool:
        """Whether a right that pytest lacks would make the priority higher."""
        return self._higher.needs_right

    @property
    def knows_helpers(self) -> bool:
        """Whether it is known who works for the body, or does not matter."""
        return self._shared.known

    def shared(self, helped: bool) -> bool:
        """Whether the workers may not have a higher priority than others of this session."""
        return helped or self._would_starve

    def spare_others(self) -> None:
        """Give the workers no higher priority than all processes of this session, from now on."""
        self._would_starve = True
        self._shared.use_nice()

    def keep_timers(self) -> None:
        """Use no real-time priority from now on, because the kernel treats its timers in another way."""
        if self._higher.kind == "realtime":
            self._higher = priority.choose("nice")
            self._shared.use_nice()

    def learning(self) -> AbstractContextManager[None]:
        """Return a context in which a batch of the body shows who works for it, at the ordinary priority."""
        return self._shared.learning()

    def note(self, contended: bool) -> None:
        """Note whether a batch at real-time priority said nothing, as threads waited for each other's CPUs.

        If many do, the rest are a biased sample, so real-time priority is given up.
        """
        self._realtime.append(contended)
        often = len(self._realtime) >= _BATCHES and sum(self._realtime) > _CONTENDED * len(self._realtime)
        if often and self._shared.higher.kind == "realtime":
            self._shared.use_nice()

    def close(self) -> None:
        """Give the ordinary priority to what has left the session's tree of processes."""
        self._shared.close()

    def raised(
        self, workers: Sequence[int], seconds: float, probed: bool, helped: bool, busy: bool
    ) -> AbstractContextManager[bool | None]:
        """Return what raises the priority for one batch.

        A worker of a higher priority that polls for the results of helpers would keep these from the CPUs. So they
        have it too, where other programs run, once it is known who they are.

        :param workers: native ids of the threads that run the batch; none if these have not run one before.
        :param seconds: time after which real-time priority is taken away.
        :param probed: whether a thread of this plugin, or a beat of its own on an event loop, observes the batch.
        :param helped: whether threads or processes that the body starts, or hands work to, compute for it.
        :param busy: whether other programs may want the CPUs.
        :return: the context's value is true if no other program can take a CPU from the workers and these helpers.
        """
        shared = self.shared(helped)
        self.exclusive = bool(workers) and not shared and self._higher.kind == "realtime"
        if not workers or (shared and not busy):
            return nullcontext()
        if shared:
            # Not all of a pool's threads need have worked for the batch that showed who the helpers are.
            threads = {*workers, *task_tree.threads_in(os.getpid())}.difference(self._bystanders.ids)
            return self._shared.raised(threads, seconds, probed)
        return priority.raised(self._higher, [*workers, *(probe_ids() if probed else ())], seconds)
