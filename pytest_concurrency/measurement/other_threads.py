"""Corrects a batch's readings for threads and processes other than the workers: helpers of the body, and bystanders."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from pytest_concurrency.core.model import Sample
from pytest_concurrency.machine.cpus import gil_enabled
from pytest_concurrency.probes import helper_threads
from pytest_concurrency.probes.bystanders import Bystanders
from pytest_concurrency.probes.helper_threads import HelperThreads, UsedCpu

_FIRST_LOOKS, _LOOKS = 3, 20  # samples of what this process does while no body runs: at first, and at most
_LEAST_HELP = 0.25  # part of the other CPU time that must exceed the background; with less, none of it counts as help
# Bystanders that compute for more than this part of a batch's time may take the GIL from a body that computes. A single
# worker waits for a bystander half of the time, and four worker threads wait less. Without this limit, pure Python code
# reads as 1.6x as fast in four threads.
_CROWDED = 0.1


@dataclass(frozen=True, slots=True)
class Watch:
    """Readings of bystanders and helpers from before a batch."""

    bystanders: Mapping[int, float]
    helpers: HelperThreads

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *error: object) -> None:
        self.helpers.stop()


class OtherThreads:
    """Corrects the batches of one bench for what its helpers and bystanders compute."""

    def __init__(self, threads: Collection[int]) -> None:
        """``threads`` are the native ids of threads that existed before the body's first call."""
        self.bystanders: Bystanders = Bystanders(threads)
        self._background: list[float] = []  # CPUs used while no body runs, sampled when that matters

    def watch(self, delays: bool) -> Watch:
        """Take the readings before a batch; ``delays``: helpers of the body that end in it report their run delay."""
        return Watch(self.bystanders.used(), HelperThreads(children=True, delays=delays))

    def judge(
        self,
        watch: Watch,
        sample: Sample,
        workers: Collection[int],
        begun: UsedCpu | None,
        again: Callable[[], Sample],
        undisturbed: bool,
    ) -> Sample | None:
        """Return a batch's sample, with the helpers' CPU time added to that of the workers.

        :param workers: native ids of the workers' threads.
        :param begun: what this process had used when the batch began, if that was after :meth:`watch`.
        :param again: runs another such batch, whose readings are not used.
        :param undisturbed: whether no other program could have taken a CPU from the workers.
        :return: None if a thread turned out to belong to the body: the batch then has to be measured once more.
        """
        theirs = self.bystanders.computed(watch.bystanders)
        watch.helpers.finish(sample.cpu + theirs, begun, {*workers, *self.bystanders.ids})
        credited = self._credited(sample, watch.helpers, undisturbed)
        if theirs <= 0:
            return credited
        whose = self.bystanders.ask(watch.bystanders, sample.wall, lambda: again().wall)
        if whose == "the body's":
            return None
        notable = _CROWDED * sample.wall
        if whose == "unclear" or (gil_enabled() and theirs > notable and sample.cpu > notable):
            readings = tuple(replace(each, accounting="unclear") for each in credited.readings)
            return replace(credited, readings=readings)
        return credited

    def _credited(self, sample: Sample, helpers: HelperThreads, undisturbed: bool) -> Sample:
        cpu = helpers.cpu
        if helper_threads.credit(sample.readings, cpu) == sample.readings:
            return sample
        # CPU time that this process also uses without a body is not help. The mean of several samples counts, because
        # one sample may fall into the tenth of a second in which an otherwise idle thread is busy.
        for _ in range(_FIRST_LOOKS if not self._background else len(self._background) < _LOOKS):
            self._background.append(helper_threads.background(self.bystanders))
        help_ = cpu - sample.wall * sum(self._background) / len(self._background)
        if help_ < _LEAST_HELP * cpu:
            return sample
        return replace(sample, readings=helper_threads.credit(sample.readings, help_, helpers.delay, undisturbed))
