"""Corrects a batch's readings for threads and processes other than the workers: helpers of the body, and bystanders."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from pytest_concurrency.core.model import Sample
from pytest_concurrency.machine.cpus import gil_enabled
from pytest_concurrency.probes import helper_threads
from pytest_concurrency.probes.bystanders import Bystanders
from pytest_concurrency.probes.helper_threads import HelperThreads, UsedCpu
from pytest_concurrency.probes.thread_clock import growth

_FIRST_LOOKS, _LOOKS = 3, 20  # samples of what this process does while no body runs: at first, and at most
_LEAST_HELP = 0.25  # part of the other CPU time that must exceed the background; with less, none of it counts as help
_CROWDED = 0.1  # part of a batch's time for which bystanders may take the GIL, and nothing is said of it
_IN_TURN = 0.05  # part of a batch's time for which threads of real-time priority may have waited for each other


@dataclass(frozen=True, slots=True)
class Watch:
    """Readings of bystanders and helpers from before a batch."""

    used: Mapping[int, float]  # CPU time of each bystander, in seconds
    active: Mapping[int, float]  # seconds for which each of them was running or ready to run
    helpers: HelperThreads


class OtherThreads:
    """Corrects the batches of one bench for what its helpers and bystanders compute."""

    def __init__(self, threads: Collection[int]) -> None:
        """``threads`` are the native ids of threads that existed before the body's first call."""
        self.bystanders: Bystanders = Bystanders(threads)
        self._background: list[float] = []  # CPUs used while no body runs, sampled when that matters

    def watch(self, delays: bool) -> Watch:
        """Take the readings before a batch; ``delays``: helpers of the body that end in it report their run delay."""
        return Watch(*self.bystanders.used_and_active(), HelperThreads(children=True, delays=delays))

    def judge(
        self,
        watch: Watch,
        sample: Sample,
        workers: Collection[int],
        begun: UsedCpu | None,
        again: Callable[[], Sample],
        realtime: bool,
    ) -> Sample | None:
        """Return a batch's sample, with the helpers' CPU time added to that of the workers.

        :param workers: native ids of the workers' threads.
        :param begun: what this process had used when the batch began, if that was after :meth:`watch`.
        :param again: runs another such batch, whose readings are not used.
        :param realtime: whether all that worked for the batch had real-time priority.
        :return: None if a thread turned out to belong to the body: the batch then has to be measured once more.
        """
        aside = {*workers, *self.bystanders.ids}  # what a bystander waits for a CPU delays no helper
        watch.helpers.finish(sample.cpu, begun, aside, lambda: self.bystanders.computed(watch.used))
        credited = self._credited(sample, watch.helpers.cpu, watch.helpers.delay)
        contended = realtime and _is_contended(sample, watch.helpers.delay or 0.0)
        if watch.helpers.bystanders_cpu <= 0:
            return _unclear(credited) if contended else credited
        taken = growth(watch.active, self.bystanders.active())
        whose = self.bystanders.ask(watch.used, sample.wall, lambda: again().wall)
        if whose == "the body's":
            return None
        if contended or whose == "unclear":
            return _unclear(credited)
        if not gil_enabled() or taken <= _CROWDED * sample.wall:
            return credited
        # What helpers and bystanders may have delayed would add up.
        helped = any(reading.with_helpers for reading in credited.readings)
        return _unclear(credited) if helped else replace(credited, gil_taken=taken)

    def _credited(self, sample: Sample, cpu: float, delay: float | None) -> Sample:
        help_ = cpu
        if helper_threads.credit(sample.readings, cpu) != sample.readings:
            # CPU time that this process also uses without a body is not help. The mean of several samples counts,
            # because one sample may fall into the tenth of a second in which an otherwise idle thread is busy.
            for _ in range(_FIRST_LOOKS if not self._background else len(self._background) < _LOOKS):
                self._background.append(helper_threads.background(self.bystanders))
            help_ = cpu - sample.wall * sum(self._background) / len(self._background)
            help_ = help_ if help_ >= _LEAST_HELP * cpu else 0.0
        return replace(sample, readings=helper_threads.credit(sample.readings, help_, delay))


def unless_contended(sample: Sample) -> Sample:
    """Return a batch of worker processes at real-time priority, which says nothing if threads waited for each other."""
    return _unclear(sample) if _is_contended(sample, sample.helpers_delay) else sample


def _is_contended(sample: Sample, helpers_delay: float) -> bool:
    """Whether threads of real-time priority had to share a CPU.

    They take turns of 100 ms then, and not of some milliseconds. So the batch may have gone another way than on a quiet
    machine.
    """
    return helpers_delay + sample.delay > _IN_TURN * sample.wall


def _unclear(sample: Sample) -> Sample:
    """Return a sample that says nothing."""
    return replace(sample, readings=tuple(replace(each, accounting="unclear") for each in sample.readings))
