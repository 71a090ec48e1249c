"""What threads and processes besides the workers do to a batch's readings: for the body, or beside it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from pytest_concurrency.core.model import Sample
from pytest_concurrency.machine.cpus import gil_enabled
from pytest_concurrency.probes import helper_threads
from pytest_concurrency.probes.bystanders import Bystanders
from pytest_concurrency.probes.helper_threads import HelperThreads, UsedCpu

_FIRST_LOOKS, _LOOKS = 3, 20  # at what goes on in this process without any body
_LEAST_HELP = 0.25  # part of what goes on beside the workers below which the rest of it is none of the body's either
# Part of a batch's time that bystanders compute for, from which on they may take the GIL from a body that computes. A
# single worker waits for one of them half of the time, and the threads of four workers less: without this, pure Python
# code reads as 1.6x as fast in four threads.
_CROWDED = 0.1


@dataclass(frozen=True, slots=True)
class Watch:
    """What was there before a batch."""

    bystanders: Mapping[int, float]
    helpers: HelperThreads


class OtherThreads:
    """Judges the batches of one bench."""

    def __init__(self, threads: Collection[int]) -> None:
        """``threads`` were there before the body."""
        self.bystanders: Bystanders = Bystanders(threads)
        self._background: list[float] = []  # CPUs that this process uses of itself, looked at when that matters

    def watch(self) -> Watch:
        """Look at what there is before a batch."""
        return Watch(self.bystanders.used(), HelperThreads(children=True))

    def judge(self, watch: Watch, sample: Sample, begun: UsedCpu | None, again: Callable[[], Sample]) -> Sample | None:
        """Return a batch's sample, with what others computed for the body counted as its workers' computing.

        :param begun: what this process had used as the batch began, if that was after the watch was made.
        :param again: runs a batch like this, whose readings are for no one.
        :return: None if some thread turned out to be the body's: then the batch has to be measured once more.
        """
        theirs = self.bystanders.computed(watch.bystanders)
        watch.helpers.finish(sample.cpu + theirs, begun)
        credited = self._credited(sample, watch.helpers.cpu)
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

    def _credited(self, sample: Sample, cpu: float) -> Sample:
        if helper_threads.credit(sample.readings, cpu) == sample.readings:
            return sample
        # What this process does without a body as well is no help. One look may fall into the busy tenth of a second of
        # something that is idle for the rest, so their mean counts.
        for _ in range(_FIRST_LOOKS if not self._background else len(self._background) < _LOOKS):
            self._background.append(helper_threads.background(self.bystanders))
        help_ = cpu - sample.wall * sum(self._background) / len(self._background)
        if help_ < _LEAST_HELP * cpu:
            return sample
        return replace(sample, readings=helper_threads.credit(sample.readings, help_))
