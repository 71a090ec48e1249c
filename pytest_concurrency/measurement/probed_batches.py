"""Probed batches of a single worker; they run again if a supposed bystander turns out to work for the body."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from pytest_concurrency.core.model import BlockProbe, GilProbe, Sample
from pytest_concurrency.probes import gil_heartbeat
from pytest_concurrency.probes.bystanders import Bystanders
from pytest_concurrency.probes.thread_clock import growth

CALLS = 20  # of a batch in which the place of a hold is looked for: as many as may differ in what they hold
_SECONDS = 2.0  # that such a batch may take, if that is more than one call
_THE_BODYS = "the body's"


def beside_heartbeat(
    run: Callable[[], Sample], ident: int | None, bystanders: Bystanders, longest: bool
) -> tuple[Sample, GilProbe]:
    """Return a batch, with the result of a GIL probe during it; ``ident`` is the worker's thread.

    :param longest: whether the longest single hold is measured, instead of the held share of the computing.
    """
    before = bystanders.used()
    found = gil_heartbeat.probe(run, ident, bystanders.ids, longest)
    if bystanders.ask(before, found[0].wall, lambda: run().wall) == _THE_BODYS:
        found = gil_heartbeat.probe(run, ident, bystanders.ids, longest)
    return found


def place_of_hold(run: Callable[[int], Sample], ident: int | None, most: int, seconds: float) -> str:
    """Run one more batch of up to ``most`` calls, and describe where the longest hold of the GIL was; empty if unknown.

    :param ident: the worker's thread.
    :param seconds: what one call takes.
    """
    calls = max(1, min(most, math.floor(_SECONDS / max(seconds, 1e-6))))
    return gil_heartbeat.locate(lambda: run(calls), ident) or ""


def beside_loop_heartbeat(
    run: Callable[[], Sample], block: Callable[[], BlockProbe | None], bystanders: Bystanders
) -> tuple[Sample, BlockProbe | None]:
    """Return a batch on an event loop, with the longest block of its last run, which ``block`` returns."""
    before, active = bystanders.used_and_active()
    sample = run()
    if bystanders.ask(before, sample.wall, lambda: run().wall) == _THE_BODYS:
        active = bystanders.active()
        sample = run()
    probe = block()
    if probe is not None:
        # While bystanders were active, they may have held the GIL, which the loop needs too. Without this, an
        # exporter's thread that computes for 60 ms reads as a block of the loop.
        theirs = growth(active, bystanders.active())
        least, besides = probe.least_beside_others, probe.besides_gil
        probe = replace(
            probe,
            longest=replace(probe.longest, low=max(besides, probe.longest.low - theirs)),
            least_beside_others=None if least is None else max(besides, least - theirs),
            others_cpu=max(0.0, probe.others_cpu - bystanders.computed(before)),
        )
    return sample, probe
