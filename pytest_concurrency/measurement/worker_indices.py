"""Bodies that depend on their worker's index: N different ones, run one after the other or concurrently.

The single worker of a serial run runs the bodies of all N workers, one after the other. Its sample is then divided by
N, to be that of one mean body: N mean bodies take as long as the N bodies did, which is what a speedup compares with.
"""

from __future__ import annotations

from dataclasses import replace

from pytest_concurrency.core.model import Reading, Sample

NOTE = "the body depends on concurrency_worker.index: the serial run does the bodies of all workers in turn"


def depends_on_index(sample: Sample) -> bool:
    """Whether the body has asked which worker runs it."""
    return any(reading.by_index for reading in sample.readings)


def mean_body(sample: Sample) -> Sample:
    """Return a sample in which one worker ran the bodies of several workers, converted into that of their mean."""
    bodies = max(1, len(sample.readings[0].each))
    readings = tuple(_mean(reading) for reading in sample.readings)
    return replace(sample, readings=readings, gil_taken=sample.gil_taken / bodies)


def _mean(reading: Reading) -> Reading:
    bodies = len(reading.each)
    return reading if bodies < 2 else reading.scaled(1 / bodies)
