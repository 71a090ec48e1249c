"""What a batch at the ordinary priority tells of a body whose figures a higher priority would change.

Two kinds of bodies are known:

* One that computes until another process has done something: it asks again and again whether a child process has ended,
  or whether a server has answered. At a higher priority, workers that do so on all CPUs keep that process from them.
* One of many short waits. The kernel rounds the waits of an ordinary thread up, by 50 microseconds if nothing else is
  set, to wake several threads at a time; those of a real-time thread are exact (``PR_SET_TIMERSLACK`` in prctl(2)).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pytest_concurrency.backends.base import WorkerGroup
from pytest_concurrency.core.model import Reading, Sample
from pytest_concurrency.machine.clocks import CLOCKS
from pytest_concurrency.probes import process_usage

_COMPUTES = 0.5  # CPUs that the workers of such a batch keep busy together
_SHORT = 0.5e-3  # seconds; a tenth of a wait that is longer may be rounding
_OFTEN = 10  # waits of a batch


@contextmanager
def needs_others(group: WorkerGroup, tell: Callable[[], None]) -> Iterator[Callable[[Sample], None]]:
    """Yield a function that takes the batch of the group in the block; call ``tell`` if others may work for it."""
    samples: list[Sample] = []
    before, ended = process_usage.descendants(), CLOCKS.children_cpu()
    yield samples.append
    if not any(sample.cpu > _COMPUTES * sample.wall for sample in samples):
        return
    after, own = process_usage.descendants(), set(group.native_ids)
    theirs = {process for process, thread in after if thread in own}
    worked = any(cpu > before.get(task, (0.0, 0.0))[0] for task, (cpu, _) in after.items() if task[0] not in theirs)
    started = any(reading.children_cpu > 0 for sample in samples for reading in sample.readings)
    if worked or started or CLOCKS.children_cpu() > ended:
        tell()


def has_short_waits(reading: Reading) -> bool:
    """Whether a single worker's waits are so short that they are shorter yet at real-time priority."""
    waits = reading.switches or 0
    return waits >= _OFTEN and reading.blocked < _SHORT * waits
